//! Method and path → response. No I/O, no input but these two.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Response, StatusCode};

use super::status::Status;

/// A response with a whole body.
pub type Reply = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str = "Kakehashi, a hybrid DNS server\n\n\
    /metrics     for Prometheus\n\
    /healthz     200 while the process lives\n\
    /readyz      200 while queries can be answered, else 503 and why\n\
    /api/status  everything, as JSON\n";

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The list of pages.
    Index,
    /// Metrics.
    Metrics,
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
    /// What a request asks for. Its query string, headers and body change nothing.
    pub fn of(method: &Method, path: &str) -> Page {
        if method != Method::GET && method != Method::HEAD {
            return Page::MethodNotAllowed;
        }
        match path {
            "/" => Page::Index,
            "/metrics" => Page::Metrics,
            "/healthz" => Page::Health,
            "/readyz" => Page::Ready,
            "/api/status" => Page::Status,
            _ => Page::NotFound,
        }
    }

    /// Whether it takes work to make, so that requests for it have to take turns.
    pub fn is_costly(self) -> bool {
        matches!(self, Page::Metrics | Page::Status)
    }

    /// Makes it.
    pub fn reply(self, status: &dyn Status) -> Reply {
        match self {
            Page::Index => reply(StatusCode::OK, TEXT, INDEX),
            Page::Metrics => reply(StatusCode::OK, METRICS, status.metrics()),
            Page::Health => reply(StatusCode::OK, TEXT, "ok\n"),
            Page::Ready => match status.ready() {
                Ok(()) => reply(StatusCode::OK, TEXT, "ok\n"),
                Err(reasons) => reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons.join("\n") + "\n"),
            },
            Page::Status => match serde_json::to_vec(&status.status()) {
                Ok(document) => reply(StatusCode::OK, JSON, document),
                Err(fault) => reply(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{fault}\n")),
            },
            Page::NotFound => reply(StatusCode::NOT_FOUND, TEXT, "no such page; / lists those there are\n"),
            Page::MethodNotAllowed => {
                let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
                reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                reply
            }
        }
    }
}

fn reply(code: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = code;
    // Pages hold names that clients and upstreams chose: a browser must neither guess a type nor run anything.
    let headers = [
        (CONTENT_TYPE, kind),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
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
    fn a_path_is_a_page_only_when_it_is_exactly_that() {
        assert_eq!(Page::of(&Method::GET, "/metrics"), Page::Metrics);
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
