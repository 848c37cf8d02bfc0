//! Any text may be handed over as a campaign's file, any bytes as notes for the server.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::{
    campaign::{Campaigns, Stage, with_stage},
    monitor::Handed,
    rules::RuleSource,
};

fuzz_target!(|input: &[u8]| {
    if let Ok(handed) = Handed::read(input) {
        handed.notes().for_each(drop);
        drop(handed.batch());
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let source = RuleSource { path: "campaigns/fuzz.toml".into(), text: text.to_owned() };
    match Campaigns::parse(std::slice::from_ref(&source)) {
        Ok(campaigns) => {
            for campaign in campaigns.all() {
                let again = RuleSource { path: source.path.clone(), text: campaign.write() };
                assert_eq!(Campaigns::parse(&[again]).unwrap().all(), std::slice::from_ref(campaign));
                with_stage(text, Stage::Ended).unwrap();
            }
        }
        Err(mistakes) => drop(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
});
