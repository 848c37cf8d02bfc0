//! Any bytes are a robots.txt, and every address gets an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use markwarden::crawl::Robots;

fuzz_target!(|bytes: &[u8]| {
    let robots = Robots::parse(bytes);
    let _ = robots.check("Markwarden", "http://shop.example/p/1?q=%E4%BA%91#x");
    let _ = robots.crawl_delay("Markwarden");
});
