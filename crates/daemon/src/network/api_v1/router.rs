//! Finding the route of a request. `HEAD`, `OPTIONS` and the list of allowed methods follow from the table.

use hyper::Method;

use crate::network::route::decode;

/// One method of one resource.
pub struct Route<Handler> {
    /// The method. `GET` includes `HEAD`.
    pub method: Method,
    /// The path. A segment in braces is a parameter.
    pub path: &'static str,
    /// What answers it.
    pub handler: Handler,
}

/// The outcome of a search.
pub enum Match<'a, Handler> {
    /// The route, and its parameters, decoded, in the order of the path.
    Route(&'a Route<Handler>, Vec<String>),
    /// `OPTIONS` of a resource with these methods.
    Options(String),
    /// The resource has only these methods.
    NoSuchMethod(String),
    /// There is no such resource.
    NoSuchPath,
}

/// Finds the route for a method and an undecoded path.
pub fn find<'a, Handler>(routes: &'a [Route<Handler>], method: &Method, path: &str) -> Match<'a, Handler> {
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = Vec::new();
    for route in routes {
        let Some(parameters) = parameters(route.path, path) else { continue };
        if route.method == *wanted {
            return Match::Route(route, parameters);
        }
        allowed.push(route.method.as_str());
        if route.method == Method::GET {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() {
        return Match::NoSuchPath;
    }
    allowed.push("OPTIONS");
    let allowed = allowed.join(", ");
    if *method == Method::OPTIONS { Match::Options(allowed) } else { Match::NoSuchMethod(allowed) }
}

/// The parameters of a path that fits a pattern. A parameter is never empty.
fn parameters(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut parameters = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if !expected.starts_with('{') {
            (decode(segment) == expected).then_some(())?;
        } else if segment.is_empty() {
            return None;
        } else {
            parameters.push(decode(segment).into_owned());
        }
    }
    segments.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &[Route<u8>] = &[
        Route { method: Method::GET, path: "/things", handler: 1 },
        Route { method: Method::GET, path: "/things/{group}/{name}", handler: 2 },
        Route { method: Method::POST, path: "/things/{group}/{name}", handler: 3 },
    ];

    fn found(method: Method, path: &str) -> (u8, Vec<String>) {
        match find(ROUTES, &method, path) {
            Match::Route(route, parameters) => (route.handler, parameters),
            _ => panic!("{method} {path} has no route"),
        }
    }

    #[test]
    fn segments_are_matched_and_decoded() {
        assert_eq!(found(Method::GET, "/things"), (1, Vec::new()));
        assert_eq!(found(Method::GET, "/thin%67s"), (1, Vec::new()));
        assert_eq!(found(Method::POST, "/things/a/b%2Fc%25"), (3, vec!["a".to_owned(), "b/c%".to_owned()]));
    }

    #[test]
    fn head_is_answered_where_get_is() {
        assert_eq!(found(Method::HEAD, "/things/a/b"), (2, vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in ["", "/", "/things/", "/things/a", "/things//b", "/things/a/", "/things/a/b/", "//things", "things"]
        {
            assert!(matches!(find(ROUTES, &Method::GET, path), Match::NoSuchPath), "{path}");
        }
    }

    #[test]
    fn the_methods_of_a_resource_are_told() {
        let told = |method, path| match find(ROUTES, &method, path) {
            Match::Options(allowed) => (true, allowed),
            Match::NoSuchMethod(allowed) => (false, allowed),
            _ => panic!("{path}"),
        };
        assert_eq!(told(Method::OPTIONS, "/things"), (true, "GET, HEAD, OPTIONS".to_owned()));
        assert_eq!(told(Method::DELETE, "/things/a/b"), (false, "GET, HEAD, POST, OPTIONS".to_owned()));
    }
}
