use super::*;

/// A document with one operation.
fn document(path: &str, operation: &str) -> String {
    format!(
        "openapi: 3.0.3\ninfo: {{title: t, version: '1'}}\npaths:\n  {path}:\n    get: {operation}\n\
         components: {{schemas: {{Code: {{type: integer}}}}}}\n"
    )
}

fn refusal(path: &str, operation: &str) -> String {
    format!("{:#}", parse(&document(path, operation)).unwrap_err())
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    for (path, operation, expected) in [
        ("/a", "{tags: [t], responses: {}}", "GET /a: operationId is missing"),
        ("/a", "{operationId: a, responses: {}}", "a: exactly one tag"),
        ("/a", "{operationId: a, tags: [t, u], responses: {}}", "a: exactly one tag"),
        ("/a/{b}", "{operationId: a, tags: [t], responses: {}}", "not every part of the path"),
        (
            "/a",
            "{operationId: a, tags: [t], responses: {}, parameters: [{name: b, in: path, required: true, schema: {type: string}}]}",
            "path parameter b is not in the path",
        ),
        (
            "/a",
            "{operationId: a, tags: [t], responses: {}, parameters: [{name: b, in: cookie, schema: {type: string}}]}",
            "parameter b: cookies",
        ),
        (
            "/a",
            "{operationId: a, tags: [t], responses: {}, parameters: [{name: b, in: query, style: deepObject, schema: {type: object}}]}",
            "parameter b: only style",
        ),
        (
            "/a",
            "{operationId: a, tags: [t], responses: {'200': {$ref: '#/components/responses/Gone'}}}",
            "$ref #/components/responses/Gone leads nowhere",
        ),
        (
            "/a",
            "{operationId: a, tags: [t], responses: {'200': {description: d, content: {application/json: {}}}}}",
            "application/json needs a schema",
        ),
    ] {
        let message = refusal(path, operation);
        assert!(message.contains(expected), "{operation}: {message}");
    }
}

#[test]
fn operations_have_names_of_their_own() {
    let twice = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /a:\n    get: &a {operationId: a, tags: [t], \
                 responses: {}}\n    put: *a\n";
    assert!(parse(twice).unwrap_err().to_string().contains("operationId a is used twice"));
}

#[test]
fn other_versions_are_refused() {
    let text = document("/a", "{operationId: a, tags: [t], responses: {}}").replace("3.0.3", "3.1.0");
    assert!(parse(&text).unwrap_err().to_string().contains("3.1.0"));
}

#[test]
fn answers_are_sorted_with_the_default_last() {
    let operation = "{operationId: a, tags: [t], responses: {default: {description: d}, 4XX: {description: r}, \
                     '404': {description: e}, '200': {description: s}}}";
    let api = parse(&document("/a", operation)).unwrap();
    let codes: Vec<_> = api.operations[0].responses.iter().map(|response| response.code).collect();
    assert_eq!(codes, [Code::Exact(200), Code::Exact(404), Code::Range(4), Code::Default]);
}

#[test]
fn path_parameters_come_in_the_order_of_the_path() {
    let operation = "{operationId: a, tags: [t], responses: {}, parameters: [\
                     {name: c, in: path, required: true, schema: {type: string}},\
                     {name: b, in: path, required: true, schema: {type: string}}]}";
    let api = parse(&document("/a/{b}/{c}", operation)).unwrap();
    let names: Vec<_> = api.operations[0].path_params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(names, ["b", "c"]);
}
