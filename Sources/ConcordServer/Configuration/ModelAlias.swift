import ConcordCore

/// Another name for a model: `NAME=MODEL`.
public struct ModelAlias: Sendable, Hashable {
    public var name: String
    /// What the model is called otherwise.
    public var model: String

    public init(name: String, model: String) {
        self.name = name
        self.model = model
    }

    /// Reads `NAME=MODEL`. Throws `.invalidConfiguration`.
    public init(_ text: String) throws(ConcordError) {
        guard let (name, model) = ModelName.split(text), ModelName.isValid(name), !model.isEmpty else {
            throw ConcordError(
                .invalidConfiguration,
                "the alias \"\(text)\" must be written NAME=MODEL, with a name of \(ModelName.letters)")
        }
        self.init(name: name, model: model)
    }
}
