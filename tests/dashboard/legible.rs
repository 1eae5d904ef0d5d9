//! What checkers of accessibility check, on the page as it is with traffic: names, structure, contrast, sizes, motion.

use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, PHONE};
use crate::page::{CLIENTS, NAMES};
use crate::town::{Town, Traffic};

/// Every text whose contrast with what is behind it is less than WCAG 2.2 AA asks (1.4.3), measured on computed colours.
const CONTRAST: &str = r"
const numbers = (text) => {
  const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
  return text.startsWith('color(') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
};
const over = ([r, g, b, a], below) => [r, g, b].map((one, at) => one * a + below[at] * (1 - a));
const light = (rgb) => rgb.map((one) => one / 255).map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
  .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
const behind = (one) => {
  const chain = [];
  for (let at = one; at; at = at.parentElement) chain.unshift(at);
  return chain.reduce((below, at) => {
    const style = getComputedStyle(at);
    const gradient = style.backgroundImage.match(/rgba?\([^)]*\)/);
    const colour = over(numbers(style.backgroundColor), below);
    return gradient ? over(numbers(gradient[0]), colour) : colour;
  }, [255, 255, 255]);
};
const poor = [];
let seen = 0;
for (const one of document.querySelectorAll('body *')) {
  const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || one.closest('.unseen, .skip, noscript, datalist, option') || !one.getClientRects().length) continue;
  const style = getComputedStyle(one);
  const below = behind(one);
  const ink = over(numbers(one.closest('svg') ? style.fill : style.color), below);
  const [dark, bright] = [light(ink), light(below)].sort((a, b) => a - b);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  const ratio = (bright + 0.05) / (dark + 0.05);
  seen += 1;
  if (ratio < (large ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${one.tagName}.${one.className} ${one.textContent.slice(0, 30)}`);
}
return [seen, poor];
";

/// What has no name, no heading, no scope: the rules of WCAG that a program can see.
const STRUCTURE: &str = r"
const wrong = [];
const name = (one) => one.ariaLabel || one.labels?.[0]?.textContent.trim() || one.getAttribute('alt') ||
  document.getElementById(one.getAttribute('aria-labelledby'))?.textContent.trim() || (one.matches('input, select') ? '' : one.textContent.trim());
for (const one of document.querySelectorAll('button, a[href], input, select, section, nav, svg[role=img]'))
  if (!name(one)) wrong.push(`no name: ${one.outerHTML.slice(0, 80)}`);
for (const one of document.querySelectorAll('img')) if (!one.hasAttribute('alt')) wrong.push('an image without alt');
for (const one of document.querySelectorAll('[aria-describedby], [aria-labelledby]'))
  for (const id of (one.getAttribute('aria-describedby') ?? one.getAttribute('aria-labelledby')).split(' '))
    if (!document.getElementById(id)) wrong.push(`no ${id}`);
const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
if (new Set(ids).size !== ids.length) wrong.push('an id is there twice');
for (const table of document.querySelectorAll('table')) {
  if (!table.closest('section').querySelector('h2')) wrong.push('a table without a heading');
  if ([...table.querySelectorAll('th')].some((one) => !one.scope)) wrong.push('a heading of a table without scope');
  const columns = table.querySelectorAll('thead th').length;
  for (const row of table.querySelectorAll('tbody tr:not(.none)')) {
    if (row.children.length !== columns) wrong.push(`${row.children.length} cells of ${columns}`);
    if (row.firstElementChild.tagName !== 'TH') wrong.push('a row without a heading');
  }
}
const levels = [...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]));
if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) wrong.push('not one h1 first');
levels.forEach((level, at) => { if (at && level > levels[at - 1] + 1) wrong.push(`h${levels[at - 1]} is followed by h${level}`); });
for (const landmark of ['header', 'main', 'footer', 'nav']) if (document.querySelectorAll(landmark).length !== 1) wrong.push(`${landmark}s`);
if (!document.querySelector('[role=status]') || !document.querySelector('[aria-live]')) wrong.push('nothing is said aloud');
if (document.querySelector('[tabindex]:not([tabindex=\'0\'], [tabindex=\'-1\'])')) wrong.push('an order of its own');
return wrong;
";

#[test]
fn it_passes_what_checkers_of_accessibility_check() {
    let Some(browser) = Browser::start("en-GB") else { return };
    let town = Town::start();
    let _traffic = Traffic::start(town.server.dns, &CLIENTS, &NAMES);
    browser.open(&town.page(), DESKTOP);
    browser.until("#names", "names are listed", |text| text.contains(NAMES[0]));
    browser.run("document.getElementById('e-client').value = '127.0.2.9'; document.getElementById('e-name').value = 'secret.technova.local'");
    browser.run("document.getElementById('explain').requestSubmit()");
    browser.until("#explained", "it is explained", |text| text.contains("Answer:"));
    town.primary.silence();
    town.backup.silence();
    for level in ["warning", "bad"] {
        // Both are on the way; which one is seen here is a matter of chance, so each is set for its colours.
        browser.until("#state-heading", "something is wrong", |text| text != "All is well");
        for theme in ["light", "dark"] {
            let script = format!(
                "document.documentElement.dataset.theme = '{theme}'; document.getElementById('state').dataset.level = '{level}'; {CONTRAST}"
            );
            let said = browser.run(&script);
            assert!(said[0].as_u64() > Some(100), "{said}");
            assert_eq!(said[1], json!([]), "{theme}, {level}: too little contrast");
        }
    }
    assert_eq!(browser.run(STRUCTURE), json!([]));
    // A finger needs 24 pixels each way (WCAG 2.2, 2.5.8).
    browser.resize(PHONE);
    let small = browser.run(
        "return [...document.querySelectorAll('button, select, input, a')].filter((one) => !one.matches('.skip'))
           .filter((one) => one.getBoundingClientRect().height < 24).map((one) => one.outerHTML.slice(0, 60))",
    );
    assert_eq!(small, json!([]));
    assert_eq!(browser.run(STRUCTURE), json!([]), "phone");
}

#[test]
fn who_prefers_less_motion_sees_none() {
    let Some(browser) = Browser::start("en-GB") else { return };
    let town = Town::start();
    browser.prefer("prefers-reduced-motion", "reduce");
    browser.open(&town.page(), DESKTOP);
    browser.until("#link-text", "the page is live", |text| text == "Live");
    let moving = "return document.getAnimations().length";
    assert_eq!(browser.run(moving), Value::from(0));
    browser.prefer("prefers-reduced-motion", "no-preference");
    assert_eq!(browser.run(moving), Value::from(1), "else the dot of the connection breathes");
}
