//! The files of the page, as they are in the program: no build step, and nothing from any other host.

/// A file.
#[derive(Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its path.
    pub path: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// Its octets.
    pub text: &'static str,
}

/// What the page may do: run and show its own files, ask its own server, and nothing else. Names that clients chose can
/// only become text: the browser itself refuses to make markup of a string (Trusted Types).
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

macro_rules! assets {
    ($($path:literal $kind:ident $file:literal)*) => {
        /// All of them; the page first.
        pub const ASSETS: &[Asset] = &[$(
            Asset { path: $path, kind: $kind, text: include_str!(concat!("page/", $file)) },
        )*];
    };
}

assets! {
    "/" HTML "index.html"
    "/dashboard/style.css" STYLE "style.css"
    "/dashboard/main.js" SCRIPT "main.js"
    "/dashboard/words.js" SCRIPT "words.js"
    "/dashboard/reasons.js" SCRIPT "reasons.js"
    "/dashboard/dom.js" SCRIPT "dom.js"
    "/dashboard/chart.js" SCRIPT "chart.js"
    "/dashboard/parts.js" SCRIPT "parts.js"
    "/dashboard/explain.js" SCRIPT "explain.js"
    "/dashboard/icon.svg" PICTURE "icon.svg"
}

/// The file at a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_no_other_host_and_holds_no_code_or_style_of_its_own() {
        for asset in ASSETS {
            let text = asset.text.replace("http://www.w3.org/2000/svg", "");
            for elsewhere in ["http://", "https://", "url(//", "@import"] {
                assert!(!text.contains(elsewhere), "{} names {elsewhere}", asset.path);
            }
            for markup in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
            {
                assert!(!text.contains(markup), "{} uses {markup}", asset.path);
            }
        }
        let page = find("/").map_or("", |asset| asset.text);
        assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains(" on"), "inline");
        assert!(page.matches("<script").count() == 1 && page.contains("<script type=\"module\" src="));
    }

    #[test]
    fn what_one_file_names_is_there() {
        for asset in ASSETS {
            let named = asset.text.split(['"', '\'']).filter(|word| word.starts_with("/dashboard/"));
            for path in named.filter(|path| path.contains('.')) {
                assert!(find(path).is_some(), "{} names {path}", asset.path);
            }
            let imported = asset.text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next());
            for file in imported {
                assert!(find(&format!("/dashboard/{file}")).is_some(), "{} imports {file}", asset.path);
            }
        }
    }
}
