import ConcordCore
import Testing

@Suite struct FieldReaderTests {
    /// An error that keeps what it is told, as the service makes its own of it.
    private struct Told: FieldError, Equatable {
        let problem: FieldProblem
        let place: String

        init(_ problem: FieldProblem, at place: FieldPlace) {
            self.problem = problem
            self.place = place.name
        }
    }

    private enum Size: String, CaseIterable {
        case small, large
    }

    private static let document: JSONValue = [
        "width": 8, "share": 0.5, "isOpen": true, "name": "a", "size": "large", "nothing": nil,
        "inner": ["width": "8"],
    ]

    @Test func `values, defaults and what is absent`() throws {
        let fields = try JSONFields(Self.document, path: "a.json")
        #expect(try fields.integer("width", in: 1...8) == 8)
        #expect(try fields.number("share") == 0.5 && fields.number("width") == 8)
        #expect(try fields.boolean("isOpen") && fields.string("name") == "a")
        #expect(try fields.choice("size") == Size.large && fields.choice("nothing", default: Size.small) == .small)
        #expect(try fields.optionalNumber("nothing") == nil && fields.integer("absent", default: -1) == -1)
        #expect(fields["nothing"] == nil && fields.holdsNull("nothing") && !fields.holdsNull("absent"))
        #expect(try fields.object("absent").names.isEmpty)
        #expect(fields.names.count == 7)
    }

    @Test(arguments: [
        ("width", "`width` in a.json must be a whole number in 1…7, not 8"),
        ("name", "`name` in a.json must be a whole number in 1…7, not \"a\""),
        ("nothing", "`nothing` in a.json is missing"),
    ]) func `the owner of a file reads which member is wrong, what it is and what it should be`(
        _ name: String, _ message: String
    ) throws {
        let fields = try JSONFields(Self.document, path: "a.json")
        let error = #expect(throws: ConcordError.self) { try fields.integer(name, in: 1...7) }
        #expect(error == ConcordError(.invalidConfiguration, message))
    }

    @Test func `an object within names itself`() throws {
        let fields = try JSONFields(Self.document, path: "a.json")
        let inner = #expect(throws: ConcordError.self) { try fields.object("inner").integer("width") }
        #expect(inner?.message == "`inner.width` in a.json must be a whole number from 0, not \"8\"")
        let none = #expect(throws: ConcordError.self) { try fields.object("name") }
        #expect(none?.message == "`name` in a.json must be an object, not \"a\"")
        let unknown = #expect(throws: ConcordError.self) {
            try fields.object("inner").refuseUnknown(["with", "height"])
        }
        #expect(unknown?.message == "`inner.width` in a.json is not known; did you mean `with`?")
    }

    @Test func `another error is told the same problems`() throws {
        typealias Fields = FieldReader<Told>
        let fields = try Fields(Self.document, prefix: "input[0].")
        #expect(throws: Told(.missing, at: FieldPlace("input[0].absent"))) { try fields.number("absent") }
        #expect(throws: Told(.wrong(expected: "a string", found: 8), at: FieldPlace("input[0].width"))) {
            try fields.string("width")
        }
        #expect(throws: Told(.unknownChoice("a", known: ["small", "large"]), at: FieldPlace("input[0].name"))) {
            try fields.choice("name") as Size
        }
        #expect(throws: Told(.unknown(known: ["width"]), at: FieldPlace("input[0].share"))) {
            try fields.refuseUnknown(["width"])
        }
        let twice = JSONValue.object([.init("a", 1), .init("a", 2)])
        #expect(throws: Told(.repeated, at: FieldPlace("a"))) { try Fields(twice) }
        #expect(throws: Told(.wrong(expected: "an object", found: 3), at: FieldPlace("input[0]"))) {
            try Fields(3, prefix: "input[0].")
        }
    }

    @Test func `a kind reads texts and JSON alike, and describes what it reads`() throws {
        let size = IntegerKind(range: 1...16), share = NumberKind(range: 0...1)
        #expect(try size.value(of: 16) == 16 && size.value(ofText: " 16 ") == 16)
        #expect(size.schema == ["type": "integer", "minimum": 1, "maximum": 16])
        let others: [JSONValue] = [0, 17, 1.5, "4", nil]
        for json in others {
            #expect(throws: FieldProblem.wrong(expected: "a whole number in 1…16", found: json)) {
                try size.value(of: json)
            }
        }
        #expect(try share.value(of: 1) == 1 && share.value(ofText: "0.25") == 0.25)
        for text in ["nan", "inf", "1.1", "-0.1", ""] {
            #expect(throws: FieldProblem.self) { try share.value(ofText: text) }
        }
        #expect(throws: FieldProblem.self) { try NumberKind().value(of: .number(.infinity)) }
        #expect(try FlagKind().value(ofText: "Yes") && !FlagKind().value(ofText: "0"))
        #expect(throws: FieldProblem.self) { try FlagKind().value(of: "true") }
        let words = ChoiceKind([("greedy", 1), ("beam", 2)])
        #expect(try words.value(of: "beam") == 2)
        #expect(words.schema["enum"] == ["greedy", "beam"])
        #expect(throws: FieldProblem.unknownChoice("Beam", known: ["greedy", "beam"])) {
            try words.value(ofText: "Beam")
        }
    }
}
