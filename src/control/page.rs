//! Method and path → response. No I/O, no input but these two.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Response, StatusCode};

use super::dashboard::asset::{self, Asset};
use super::dashboard::question::Question;
use super::status::Status;
use crate::observe::registry::Format;

/// A response; its body is whole, or a stream.
pub type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;
/// A response whose body is whole: several may be given the same.
pub type Whole = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const EVENTS: &str = "text/event-stream";
const NO_MARKUP: &str = "default-src 'none'; frame-ancestors 'none'";
/// When somebody who found no seat may come again.
const LATER: &str = "15";

const INDEX: &str = "Kakehashi, a hybrid DNS server\n\n\
    /             the dashboard, for a browser\n\
    /metrics      for Prometheus\n\
    /healthz      200 while the process lives\n\
    /readyz       200 while queries can be answered, else 503 and why\n\
    /api/status   everything, as JSON\n\
    /api/explain  ?client=ADDRESS&name=NAME&type=TYPE: what a client is answered, and why, as JSON\n\
    /api/live     the dashboard's events; eight may look at once\n";

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// A file of the dashboard; at `/` the dashboard itself.
    Asset(&'static Asset),
    /// The dashboard's events.
    Live,
    /// What a client would be answered.
    Explain,
    /// The list of pages.
    Index,
    /// Metrics.
    Metrics(Format),
    /// Liveness.
    Health,
    /// Readiness.
    Ready,
    /// The status document.
    Status,
    /// Nothing has this path.
    NotFound,
    /// Only reading is possible.
    MethodNotAllowed,
}

impl Page {
    /// What a request asks for. Its headers and body change nothing, and its query string nothing but an explanation.
    pub fn of(method: &Method, path: &str) -> Page {
        if method != Method::GET && method != Method::HEAD {
            return Page::MethodNotAllowed;
        }
        match path {
            "/pages" => Page::Index,
            "/metrics" => Page::Metrics(Format::Text),
            "/healthz" => Page::Health,
            "/readyz" => Page::Ready,
            "/api/status" => Page::Status,
            "/api/explain" => Page::Explain,
            "/api/live" => Page::Live,
            other => asset::find(other).map_or(Page::NotFound, Page::Asset),
        }
    }

    /// The same in the format that the client would rather have, if there are several (RFC 9110 §12.5.1).
    pub fn as_accepted(self, accept: &HeaderMap) -> Page {
        match self {
            Page::Metrics(_) => Page::Metrics(accepted(accept)),
            page => page,
        }
    }

    /// Whether it takes work to make, so that requests for it have to take turns.
    pub fn is_costly(self) -> bool {
        matches!(self, Page::Metrics(_) | Page::Status | Page::Explain)
    }

    /// Whether all who wait for it can be given the same: nothing of the request is in it.
    pub fn is_common(self) -> bool {
        matches!(self, Page::Metrics(_) | Page::Status)
    }

    /// Makes it.
    pub fn reply(self, query: &str, status: &dyn Status) -> Whole {
        match self {
            Page::Asset(asset) => {
                let mut reply = reply(StatusCode::OK, asset.kind, asset.text);
                let policy = HeaderValue::from_static(asset::POLICY);
                reply.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
                reply
            }
            // The stream itself is made where the seats are.
            Page::Live => reply(StatusCode::OK, EVENTS, ""),
            Page::Explain => match Question::of(query) {
                Ok(question) => json(StatusCode::OK, &status.explain(&question)),
                Err(wrong) => json(StatusCode::BAD_REQUEST, &wrong),
            },
            Page::Index => reply(StatusCode::OK, TEXT, INDEX),
            Page::Metrics(Format::Text) => reply(StatusCode::OK, METRICS, status.metrics(Format::Text)),
            Page::Metrics(Format::OpenMetrics) => {
                reply(StatusCode::OK, OPENMETRICS, status.metrics(Format::OpenMetrics))
            }
            Page::Health => reply(StatusCode::OK, TEXT, "ok\n"),
            Page::Ready => match status.ready() {
                Ok(()) => reply(StatusCode::OK, TEXT, "ok\n"),
                Err(reasons) => reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons.join("\n") + "\n"),
            },
            Page::Status => json(StatusCode::OK, &status.status()),
            Page::NotFound => {
                reply(StatusCode::NOT_FOUND, TEXT, "no such page; /pages lists those there are\n")
            }
            Page::MethodNotAllowed => {
                let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
                reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                reply
            }
        }
    }
}

/// OpenMetrics for whoever names it, in our version or in any, and wants nothing more than it.
fn accepted(headers: &HeaderMap) -> Format {
    let ranges: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let weight = |format: Format| {
        let weights = ranges.iter().flat_map(|value| value.split(',')).filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next()?;
            let named = match format {
                Format::Text => kind.eq_ignore_ascii_case("text/plain"),
                Format::OpenMetrics => kind.eq_ignore_ascii_case("application/openmetrics-text"),
            };
            let parameter =
                |part: &str| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            let parameters: Vec<(String, String)> = parts.filter_map(parameter).collect();
            let other_version =
                |(name, value): &(String, String)| name == "version" && value.trim_matches('"') != "1.0.0";
            if !named || (format == Format::OpenMetrics && parameters.iter().any(other_version)) {
                return None;
            }
            let quality = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case("q"));
            quality.map_or(Some(1.0), |(_, value)| value.parse::<f32>().ok())
        });
        weights.fold(0.0, f32::max)
    };
    let wanted = weight(Format::OpenMetrics);
    if wanted > 0.0 && wanted >= weight(Format::Text) { Format::OpenMetrics } else { Format::Text }
}

/// A stream of events.
pub fn live(body: UnsyncBoxBody<Bytes, Infallible>) -> Reply {
    reply(StatusCode::OK, EVENTS, "").map(|_| body)
}

/// All seats are taken.
pub fn full() -> Whole {
    let mut reply = reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, "as many look as may at once\n");
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(LATER));
    reply
}

fn json(code: StatusCode, document: &impl serde::Serialize) -> Whole {
    match serde_json::to_vec(document) {
        Ok(document) => reply(code, JSON, document),
        Err(fault) => reply(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{fault}\n")),
    }
}

fn reply(code: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Whole {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = code;
    // Pages hold names that clients and upstreams chose: a browser must neither guess a type nor run anything.
    let headers = [
        (CONTENT_TYPE, kind),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, NO_MARKUP),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_those_who_want_it_as_much_as_text() {
        let openmetrics = [
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text",
            "text/plain, Application/OpenMetrics-Text; version=\"1.0.0\"; q=1",
        ];
        let text = [
            "",
            "*/*",
            "text/plain;version=0.0.4",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.2, text/plain;q=0.5",
            "application/openmetrics-text;q=x",
        ];
        let format = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            Page::Metrics(Format::Text).as_accepted(&headers)
        };
        openmetrics
            .iter()
            .for_each(|accept| assert_eq!(format(accept), Page::Metrics(Format::OpenMetrics), "{accept}"));
        text.iter().for_each(|accept| assert_eq!(format(accept), Page::Metrics(Format::Text), "{accept}"));
    }

    #[test]
    fn a_path_is_a_page_only_when_it_is_exactly_that() {
        assert_eq!(Page::of(&Method::GET, "/metrics"), Page::Metrics(Format::Text));
        assert_eq!(Page::of(&Method::HEAD, "/readyz"), Page::Ready);
        for path in ["/metrics/", "//metrics", "/METRICS", "/api", "", "*", "/../etc/passwd", "/%6detrics"] {
            assert_eq!(Page::of(&Method::GET, path), Page::NotFound, "{path}");
        }
        for method in
            [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE, Method::CONNECT]
        {
            assert_eq!(Page::of(&method, "/metrics"), Page::MethodNotAllowed);
        }
    }
}
