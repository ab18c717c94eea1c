/// One item of a batch to generate for: what the model reads first, and what is wanted.
public struct GenerationRequest: Sendable, Hashable {
    /// The tokens that the model reads first, the start token included; nil for the start token alone. They are not part
    /// of the result.
    public var prompt: [Int32]?
    public var options: GenerationOptions

    public init(prompt: [Int32]? = nil, options: GenerationOptions = GenerationOptions()) {
        self.prompt = prompt
        self.options = options
    }
}
