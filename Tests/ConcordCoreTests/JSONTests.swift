import ConcordCore
import Testing

@Suite struct JSONTests {
    @Test func readsAndWritesBackEveryKind() throws {
        let text = #"{"a": [1, -2.5, 1e3, true, false, null], "\#u{E9}": "\"\\\n\u0001", "e\#u{301}": "other"}"#
        let value = try JSONValue(parsing: text)
        #expect(value["a"]?.elements?.map(\.double) == [1, -2.5, 1000, nil, nil, nil])
        // Canonically equivalent names stay two members.
        #expect(value["\u{E9}"]?.string == "\"\\\n\u{1}")
        #expect(value["e\u{301}"]?.string == "other")
        #expect(try JSONValue(parsing: value.text(pretty: true)) == value)
    }

    @Test func joinsSurrogates() throws {
        #expect(try JSONValue(parsing: #""\ud83d\ude00""#).string == "😀")
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\" 1}", "01", "1.", "nul", "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"", "[1] 2", "1e999",
        "\"a\nb\"", "\"\\u+123\"",
        String(repeating: "[", count: 200),
    ])
    func refuses(_ text: String) {
        #expect(throws: ConcordError.self) { try JSONValue(parsing: text) }
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: ConcordError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22], source: "bytes") }
    }
}
