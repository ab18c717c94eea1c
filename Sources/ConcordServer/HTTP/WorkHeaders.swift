/// What the head of a request may say of the work that it asks for.
struct WorkHeaders: FieldGroup {
    static let definition = FieldDefinition(WorkHeaders())

    let priority = Field(
        "X-Priority", .choice(["interactive": Lane.interactive, "bulk": .bulk]),
        "Which queue the request waits in; without it, bulk for more than 16 items.")
    let timeout = Field(
        "X-Timeout-Ms", .integer(in: 1...86_400_000), "After so many milliseconds the answer is of no use any more.")
}
