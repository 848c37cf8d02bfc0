// Keys, and a deck of cards fetched ahead. Everything it does, plain forms do too.
const $ = (selector, within = document) => within.querySelector(selector);
const main = $('#main'), deckBox = $('#deck'), body = document.body;
const said = main.dataset, csrf = body.dataset.csrf, filter = said.filter || '';
let deck = [], at = 0, made = [], armed = false, prefix = '', last = '', shownAt = performance.now();
// Decided or skipped here: the server may not know yet and lend them again.
const gone = new Set();
// What is on its way to the server, by the hits that it is about.
const lines = new Map();
let filling = null, leaving = false, toastTimer = 0, addressing = 0;

// An account's own keys over the usual ones.
const usual = {
  dismiss: 'x', skip: 's', undo: 'z', escalate: 'e', again: '.', group: 'g', note: 'n', next: 'j', previous: 'k',
  compare: 'c', evidence: 'i', link: 'v', earlier: 'h', later: 'l', start: 'r',
};
const pairs = (body.dataset.keymap || '').split(' ').filter(Boolean).map(pair => {
  const at = pair.indexOf(':');
  return [pair.slice(0, at), pair.slice(at + 1)];
});
const keys = Object.fromEntries(Object.entries({ ...usual, ...Object.fromEntries(pairs) }).map(([name, key]) => [key, name]));

const card = () => $('#card');
const current = () => deck[at];
const pause = ms => new Promise(done => setTimeout(done, ms));

function announce(text) {
  const live = $('#live');
  live.textContent = '';
  requestAnimationFrame(() => { live.textContent = text; });
}

function toast(text, undoable) {
  const box = $('#toast');
  announce(text);
  if (!box) return;
  $('#toast-text').textContent = text;
  $('#toast-undo').hidden = !undoable;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, (said.undoSeconds || 10) * 1000);
}

async function post(path, fields = {}) {
  for (let wait = 1000; ; wait *= 2) {
    try {
      const answer = await fetch(path, {
        method: 'POST', body: new URLSearchParams(fields), redirect: 'error',
        headers: { 'x-csrf-token': csrf, accept: 'application/json' },
      });
      const value = await answer.json();
      if (!answer.ok) throw Object.assign(new Error(value.detail), { refused: answer.status });
      return value;
    } catch (error) {
      if (error.refused === 401) signIn();
      if (error.refused || leaving || wait > 8000) throw error;
      toast(said.saidOffline, false);
      await pause(wait);
    }
  }
}

// The session ended, as with the server: back to this hit after the door.
function signIn() {
  if (leaving) return;
  leaving = true;
  const here = current() ? address(`/hits/${current().id}`) : location.pathname + location.search;
  location.href = `/sign-in?back=${encodeURIComponent(here)}`;
}

// Acts on a hit reach the server one after the other, so that an undo follows its decision; those on others go beside.
function queue(ids, act) {
  const before = Promise.allSettled(ids.map(id => lines.get(id)));
  const turn = before.then(act);
  const ended = turn.catch(() => {}).finally(() => ids.forEach(id => lines.get(id) === ended && lines.delete(id)));
  ids.forEach(id => lines.set(id, ended));
  return turn;
}

const address = path => filter ? `${path}?${filter}` : path;

// Browsers take only so many new addresses in a while, and refuse to go to the next page after that.
function addressSoon(path) {
  clearTimeout(addressing);
  addressing = setTimeout(() => leaving || history.replaceState(null, '', address(path)), 100);
}

function show(focus = true) {
  const item = current();
  arm(false);
  deckBox.innerHTML = item.html;
  const shown = card();
  document.title = `${shown.dataset.title} · ${document.title.split(' · ').pop()}`;
  addressSoon(`/hits/${item.id}`);
  shownAt = performance.now();
  scrollTo(0, 0);
  if (focus) $('#listing-title').focus({ preventScroll: true });
}

async function fill() {
  if (said.decides !== 'true' || filling) return filling;
  filling = post(address('/review/claim')).then(items => {
    for (const item of items) {
      const known = deck.find(other => other.id === item.id);
      if (gone.has(item.id)) continue;
      if (!known) deck.push(item);
      else known.fence = item.fence;
    }
  }).catch(() => {}).finally(() => { filling = null; });
  return filling;
}

async function settle() {
  if (deck.length - at < (said.prefetch || 20) / 2) {
    const wait = fill();
    if (!current()) await wait;
  }
  if (current()) return show();
  await Promise.all(lines.values());
  if (leaving) return;
  leaving = true;
  location.href = address('/review');
}

function take(act, words) {
  const item = current();
  deck.splice(at, 1);
  gone.add(item.id);
  // Members of a group go with it; their cards come back with an undo of the whole act.
  const with_it = deck.filter(other => (act.members || []).includes(other.id));
  deck = deck.filter(other => !with_it.includes(other));
  at = Math.min(at, deck.length);
  (act.members || []).forEach(id => gone.add(id));
  made.push({ item, skipped: act.skipped, act: act.act, members: act.members });
  made = made.slice(-100);
  toast(words, true);
  settle();
  queue([item.id, ...(act.members || [])], () => post(`/hits/${item.id}/${act.path}`, act.fields)).catch(error => {
    made = made.filter(entry => entry.item !== item);
    toast(`${said.saidFailed}: ${error.message}`, false);
    if (error.refused === 409) return;
    gone.delete(item.id);
    deck.splice(at, 0, item);
    show();
  });
}

function decide(value) {
  const button = $(`button[name="reason"][value="${CSS.escape(value)}"]`, card());
  if (!button || !current()) return;
  const { fence, seen } = card().dataset;
  const fields = new URLSearchParams({
    reason: value, fence, seen, note: $('#note').value, looked_ms: Math.round(performance.now() - shownAt),
  });
  const reason = button.lastChild.textContent.trim();
  let members, act;
  if ($('#group-on')?.checked) {
    const chosen = [...document.querySelectorAll('#group input[name=member]:checked')].map(box => box.value);
    act = [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');
    fields.append('group', 'on');
    fields.append('act', act);
    chosen.forEach(value => fields.append('member', value));
    members = chosen.map(value => Number(value.split(':')[0]));
    if (!members.length) act = undefined;
  }
  last = value;
  const many = members?.length ? ` +${members.length}` : '';
  take({ path: 'decide', fields, members, act }, `#${card().dataset.id}${many} ${said.saidDone} · ${reason}`);
}

function again() {
  if (last) decide(last);
  else announce(said.saidNothing);
}

function group() {
  const box = $('#group'), on = $('#group-on');
  if (!box) return announce(said.saidNoGroup);
  const opens = !(box.open && on?.checked);
  box.open = opens;
  if (on) on.checked = opens;
  if (opens) $('input[name=member], a', box)?.focus();
  else $('#listing-title').focus({ preventScroll: true });
}

function lookAt(id) {
  const box = $(id);
  if (!box) return announce(said.saidNothing);
  box.scrollIntoView({ block: 'center' });
  box.focus({ preventScroll: true });
}

// A moment of a live room is looked at; what was pinned then is shown with it.
function lookAtMoment(cue) {
  $('#cues .cue[aria-current]')?.removeAttribute('aria-current');
  cue.setAttribute('aria-current', 'true');
  document.querySelectorAll('#pins > li').forEach(pin => { pin.hidden = pin.dataset.pin !== cue.dataset.pin; });
  cue.focus({ preventScroll: true });
  cue.scrollIntoView({ block: 'nearest' });
}

function step(by) {
  const cues = [...document.querySelectorAll('#cues .cue')];
  const now = cues.findIndex(cue => cue.getAttribute('aria-current'));
  const next = cues[Math.min(cues.length - 1, Math.max(0, now + by))];
  if (next) lookAtMoment(next);
  else announce(said.saidNothing);
}

function skip() {
  if (!$('#skip-hit') || !current()) return;
  const { fence, id } = card().dataset;
  take({ path: 'skip', fields: { fence }, skipped: true }, `#${id} ${said.saidSkipped}`);
}

function undo() {
  const entry = made.pop();
  if (!entry) {
    const button = $('#undo-hit');
    return button ? button.click() : announce(said.saidNothing);
  }
  const { item, skipped, act, members } = entry;
  gone.delete(item.id);
  (members || []).forEach(id => gone.delete(id));
  deck.splice(at, 0, item);
  show();
  toast(`#${item.id} ${said.saidUndone}`, false);
  const back = () => post(address(`/hits/${item.id}/claim`));
  const ask = act ? () => post(`/acts/${act}/undo`).then(back) : skipped ? back : () => post(address(`/hits/${item.id}/undo`));
  queue([item.id, ...(members || [])], ask).then(fresh => {
    Object.assign(item, fresh);
    if (current() === item) show();
  }).catch(error => {
    deck = deck.filter(other => other !== item);
    toast(`${said.saidFailed}: ${error.message}`, false);
    settle();
  });
}

function move(step) {
  if (at + step < 0) return announce(said.saidFirst);
  if (at + step >= deck.length) return announce(said.saidLast);
  at += step;
  show();
  if (deck.length - at < 5) fill();
}

function arm(on) {
  armed = on;
  card()?.classList.toggle('armed', on);
  if (on) announce(said.saidArmed);
}

function choose(number) {
  const group = $(armed ? '.dismiss' : '.confirm', card());
  const button = group?.querySelectorAll('button')[number - 1];
  if (!button) return;
  if (deckBox) return decide(button.value);
  // The key is let go of before the page goes: the next page must not hear it too.
  let gone = false;
  const go = () => { if (!gone) { gone = true; button.click(); } };
  addEventListener('keyup', go, { once: true });
  setTimeout(go, 400);
}

function moveRow(step) {
  const links = [...document.querySelectorAll('.row-link')];
  const now = links.indexOf(document.activeElement);
  const next = links[Math.min(links.length - 1, Math.max(0, now + step))];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

function toggleHelp(open) {
  const help = $('#help');
  if (open === help?.open) return;
  open ? help?.showModal() : help?.close();
}

const hitKeys = {
  next: () => move(1), previous: () => move(-1), skip, undo, dismiss: () => $('.dismiss', card()) && arm(!armed),
  note: () => $('#note')?.focus(), link: () => $('.facts a')?.click(), escalate: () => $('#escalate-hit')?.click(),
  again, group, compare: () => lookAt('#marks'), evidence: () => lookAt('#evidence'),
  earlier: () => step(-1), later: () => step(1),
};
// A card that is judged by itself, without a deck: plain forms carry what is said.
const apartKeys = {
  dismiss: hitKeys.dismiss, note: hitKeys.note, link: hitKeys.link, compare: hitKeys.compare, evidence: hitKeys.evidence,
  undo: () => $('#undo-hit')?.click(),
};
const queueKeys = {
  next: () => moveRow(1), previous: () => moveRow(-1), start: () => ($('#start') || { click: toReview }).click(),
};
const everywhere = { start: toReview, undo: () => $('#undo-act')?.click() };
const fixed = {
  '?': () => toggleHelp(!$('#help').open),
  '/': () => $('#search') ? $('#search').select() : void (location.href = '/queue#search'),
  o: () => document.activeElement.matches('.row-link') && document.activeElement.click(),
};
function toReview() { location.href = '/review'; }

// Everything that a button or link of the page does, and where one may go.
function commands() {
  const seen = new Set();
  const named = node => {
    const copy = node.cloneNode(true), group = node.closest('[role=group]')?.getAttribute('aria-label');
    const key = [...copy.querySelectorAll('kbd')].map(kbd => (kbd.remove(), kbd.textContent.trim())).join(' ');
    const words = (node.getAttribute('aria-label') || copy.textContent).replace(/\s+/g, ' ').trim();
    return { node, key, words: group && words ? `${group} · ${words}` : words };
  };
  return [...document.querySelectorAll('#start, main button, main summary, .tabs a, .saved a, nav a, .tools a, .tools button')]
    .filter(node => node.offsetParent && !node.disabled)
    .map(named)
    .filter(({ words }) => words && !seen.has(words) && seen.add(words));
}

function openPalette() {
  const box = $('#palette'), field = $('#palette-search'), list = $('#palette-list'), all = commands();
  if (!box || box.open) return box?.close();
  let shown = [], chosen = 0;
  const paint = () => {
    const wanted = field.value.trim().toLowerCase();
    shown = all.filter(({ words }) => words.toLowerCase().includes(wanted)).slice(0, 12);
    chosen = Math.min(chosen, Math.max(0, shown.length - 1));
    list.replaceChildren(...shown.map(({ words, key }, place) => {
      const row = document.createElement('li');
      row.textContent = words;
      if (key) row.append(Object.assign(document.createElement('kbd'), { textContent: key }));
      row.id = `palette-${place}`;
      row.setAttribute('role', 'option');
      row.setAttribute('aria-selected', String(place === chosen));
      row.onclick = () => run(place);
      return row;
    }));
    field.setAttribute('aria-activedescendant', shown.length ? `palette-${chosen}` : '');
  };
  const run = place => { box.close(); shown[place]?.node.click(); };
  field.value = '';
  field.oninput = () => { chosen = 0; paint(); };
  field.onkeydown = event => {
    if (event.isComposing || event.key === 'Process') return;
    if (event.key === 'Enter') { event.preventDefault(); return run(chosen); }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    chosen = (chosen + step + shown.length) % Math.max(1, shown.length);
    paint();
  };
  box.showModal();
  paint();
  field.focus();
}

const places = { q: '/queue', d: '/queue?state=confirmed' };

function press(event) {
  const field = event.target.closest('input:not([type=hidden], [type=checkbox]), textarea, select');
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k' && csrf && !event.isComposing) {
    event.preventDefault();
    return openPalette();
  }
  if (event.key === 'Escape') {
    if (field && !event.isComposing) field.blur();
    return arm(false);
  }
  if (field || event.isComposing || event.key === 'Process' || event.ctrlKey || event.altKey || event.metaKey) return;
  if (body.dataset.keys === 'off' || !csrf || $('#palette')?.open || ($('#help')?.open && event.key !== '?')) return;
  const key = event.key === '？' ? '?' : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const before = prefix;
  prefix = '';
  let act;
  if (before === 'g' && places[key]) act = () => { location.href = places[key]; };
  else if (!deckBox && key === 'g') act = () => { prefix = 'g'; };
  else if ((deckBox || said.screen === 'apart') && /^[1-9]$/.test(key) && !event.repeat) act = () => choose(Number(key));
  else act = (deckBox ? hitKeys : { apart: apartKeys, queue: queueKeys }[said.screen] || {})[keys[key]] || everywhere[keys[key]] || fixed[key];
  if (!act || (event.repeat && !['next', 'previous', 'earlier', 'later'].includes(keys[key]))) return;
  event.preventDefault();
  act();
}

function startDeck() {
  const shown = card();
  deck = [{ id: Number(shown.dataset.id), fence: Number(shown.dataset.fence), html: deckBox.innerHTML }];
  deckBox.addEventListener('submit', event => {
    const button = event.submitter;
    if (button?.name === 'reason') decide(button.value);
    else if (button?.id === 'skip-hit') skip();
    else return;
    event.preventDefault();
  });
  // Enter in the note must not press the first reason.
  deckBox.addEventListener('keydown', event => {
    if (event.key === 'Enter' && event.target.id === 'note') {
      event.preventDefault();
      event.target.blur();
    }
  });
  deckBox.addEventListener('click', event => {
    const cue = event.target.closest('.cue');
    if (cue && !event.target.closest('a, summary')) lookAtMoment(cue);
  });
  if (said.decides !== 'true') return;
  fill();
  setInterval(() => { if (!document.hidden) fill(); }, 180000);
  addEventListener('pageshow', event => {
    if (!event.persisted) return;
    leaving = false;
    fill();
  });
  addEventListener('pagehide', () => {
    leaving = true;
    const leases = deck.filter(item => item.fence).map(item => `${item.id}:${item.fence}`).join(',');
    fetch('/review/release', {
      method: 'POST', keepalive: true, body: new URLSearchParams({ leases }),
      headers: { 'x-csrf-token': csrf, accept: 'application/json' },
    }).catch(() => {});
  });
}

// On a narrow screen a table's cells stand below each other, each with its column's name.
for (const table of document.querySelectorAll('table:has(thead):not(:has(thead :is(select, input)))')) {
  const names = [...table.querySelectorAll('thead th')].map(name => name.textContent.trim());
  table.querySelectorAll('tbody tr').forEach(row => [...row.cells].forEach((cell, at) => { cell.dataset.name = names[at] ?? ''; }));
  table.classList.add('named');
}
const place = $('.top nav [aria-current]');
if (place) place.parentElement.scrollLeft = place.offsetLeft - innerWidth / 3;

document.addEventListener('keydown', press);
$('#open-help')?.addEventListener('click', event => { event.preventDefault(); toggleHelp(true); });
$('#close-help')?.addEventListener('click', () => toggleHelp(false));
$('#toast-undo')?.addEventListener('click', undo);
if (deckBox) startDeck();
if (location.hash === '#search') $('#search')?.focus();
// A test waits for this before it presses keys.
document.documentElement.dataset.ready = 'true';
