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

    @Test func limitsHoldForStrangersDocuments() throws {
        func parse(_ text: String, _ limits: JSONLimits) throws -> JSONValue {
            try JSONValue(parsing: Array(text.utf8), source: "the body", limits: limits)
        }
        let nested = "[[[1]]]"
        #expect(try parse(nested, JSONLimits(depth: 4)).elements?.count == 1)
        #expect(throws: ConcordError.self) { try parse(nested, JSONLimits(depth: 3)) }
        // The array, its three numbers, the object and its one value.
        let values = #"[1, 2, 3, {"a": 4}]"#
        #expect(try parse(values, JSONLimits(values: 6)).elements?.count == 4)
        #expect(throws: ConcordError.self) { try parse(values, JSONLimits(values: 5)) }
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: ConcordError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22], source: "bytes") }
    }

    @Test func refusesEveryBeginningOfADocument() throws {
        let text = #"{"a\u00e9": [-12.5e+3, true, null, "x\ud83d\ude00\n"], "": {}, "é": false}"#
        let bytes = Array(text.utf8)
        #expect(try JSONValue(parsing: text)["a\u{E9}"]?.elements?.last?.string == "x😀\n")
        for length in 0..<bytes.count {
            // An array of its own, so that a read beyond the end would not find the rest of the document.
            let error = #expect(throws: ConcordError.self) {
                try JSONValue(parsing: Array(bytes[..<length]), source: "it")
            }
            #expect(error?.code == .malformedText)
        }
    }

    @Test(arguments: [
        (#"[1, nul]"#, 4), (#"["\u12g4"]"#, 4), (#"["\ud800x"]"#, 8), (#"["\q"]"#, 4), (#"[012]"#, 4), ("[1.]", 3),
        ("[1e+]", 4), ("[-]", 2), ("{1: 2}", 1), (#"{"a" 1}"#, 5), ("[1 2]", 3), ("[1] ]", 4), ("[\"a\tb\"]", 3),
        (#"["abc"#, 5), ("[1e999]", 6),
    ])
    func saysWhere(_ text: String, _ offset: Int) {
        let error = #expect(throws: ConcordError.self) { try JSONValue(parsing: text) }
        #expect(error?.message.hasSuffix("at byte \(offset)") == true, "\(error?.message ?? "")")
    }

    /// Editors of Windows put it there.
    @Test func aByteOrderMarkIsPassedOver() throws {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        #expect(try JSONValue(parsing: mark + Array("{\"a\": 1}".utf8), source: "marked") == ["a": 1])
        #expect(throws: ConcordError.self) { try JSONValue(parsing: mark, source: "only a mark") }
        #expect(throws: ConcordError.self) { try JSONValue(parsing: mark + mark + [0x31], source: "two marks") }
    }

    /// What Python's `json` writes for them, and where.
    @Test(arguments: [
        (#"{"a": 1, "layer_norm_eps": NaN}"#, "`NaN` as the value of `layer_norm_eps`", 27),
        (#"{"a": {"scale" : -Infinity}}"#, "`Infinity` as the value of `scale`", 18),
        ("[1, Infinity]", "`Infinity`", 4),
        ("NaN", "`NaN`", 0),
    ])
    func numbersThatJSONLacksAreNamed(_ text: String, _ name: String, _ offset: Int) throws {
        let error = #expect(throws: ConcordError.self) { try JSONValue(parsing: text) }
        let message = error?.message ?? ""
        #expect(
            message.contains("\(name), which Python writes") && message.hasSuffix("at byte \(offset)"), "\(message)")
        let limits = JSONLimits(nonFiniteNumbers: true)
        let value = try JSONValue(parsing: Array(text.utf8), source: "Python's", limits: limits)
        let number = value.double ?? value.elements?.last?.double ?? value["layer_norm_eps"]?.double
        #expect((number ?? value["a"]?["scale"]?.double)?.isFinite == false)
        for other in ["Nan", "Inf", "-NaN", "-Infinit", "nan"] {
            #expect(throws: ConcordError.self) {
                try JSONValue(parsing: Array(other.utf8), source: "no word", limits: limits)
            }
        }
    }

    @Test func numbersKeepTheirKind() throws {
        for (text, value) in [
            ("0", JSONValue.integer(0)), ("-0", .integer(0)), ("-7", .integer(-7)), ("1.0", .number(1)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(0x1p63)), ("0.1", .number(0.1)), ("2E-3", .number(0.002)),
        ] {
            #expect(try JSONValue(parsing: text) == value)
            // A slice, whose first index is not 0.
            #expect(try JSONValue(parsing: Array("x\(text)".utf8).dropFirst(), source: "slice") == value)
            // Bytes that do not lie side by side.
            #expect(try JSONValue(parsing: Array("\(text)".utf8.reversed()).reversed(), source: "reversed") == value)
        }
    }

    @Test(
        arguments: [
            [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0x80], [0xEF, 0xBF],
        ] as [[UInt8]])
    func refusesEveryKindOfInvalidUTF8(_ bytes: [UInt8]) throws {
        for padding in [0, 30] {
            let text = [UInt8](repeating: 0x61, count: padding) + bytes
            #expect(throws: ConcordError.self) { try JSONValue(parsing: [0x22] + text + [0x22], source: "raw") }
            let escaped = Array(#""\n"#.utf8) + text + [0x22]
            #expect(throws: ConcordError.self) { try JSONValue(parsing: escaped, source: "escaped") }
        }
        // What an invalid byte would be replaced with is fine by itself.
        #expect(try JSONValue(parsing: "\"\u{FFFD}\"").string == "\u{FFFD}")
    }
}
