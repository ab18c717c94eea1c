import ConcordCore
import Testing

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("batch_sise", "batch_size"), ("epocs", "epochs"), ("lerning_rate", "learning_rate"), ("seeed", "seed"),
        ("seed", "seed"), ("zzzzzzzzzz", nil), ("", nil), ("batch_size_of_all", nil), ("batch_size_of", "batch_size"),
    ])
    func suggests(_ name: String, _ expected: String?) {
        let names = ["batch_size", "epochs", "learning_rate", "seed"]
        #expect(NearestName.suggestion(for: name, among: names) == expected)
    }

    @Test func breaksTiesByName() {
        #expect(NearestName.suggestion(for: "cat", among: ["hat", "bat"]) == "bat")
        #expect(NearestName.suggestion(for: "cat", among: [String]()) == nil)
    }
}
