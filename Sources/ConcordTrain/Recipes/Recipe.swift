import ConcordCheckpoint
import ConcordCore
import ConcordNN
import Foundation

/// Everything that determines a training run, read from a YAML file.
///
/// The sections below mirror the file. `concord train --keys` lists every key with its default and meaning.
public struct Recipe: Sendable {
    public var seed: Int
    public var data: DataSection
    public var tokenizer: TokenizerSection
    public var model: ModelSection
    public var loss: LossSection
    public var train: TrainSection
    public var evaluate: EvaluateSection
    /// All values given in the file and by assignments, as YAML that reads back as the same recipe.
    public let text: String

    /// The value of keys that are left to the data.
    static let automatic = "auto"
    /// A recipe's ``text`` without the number of epochs, the one thing that may change when a run goes on.
    static func withoutEpochs(_ text: String) -> String {
        text.split(separator: "\n").filter { !$0.hasPrefix("train.epochs: ") }.joined(separator: "\n")
    }

    /// Reads a recipe file and applies assignments such as `train.epochs=5`.
    ///
    /// - Throws: `.invalidConfiguration` for bad YAML, an unknown key (with the nearest known one) or a value out of
    ///   range; `.fileSystem` when the file cannot be read.
    public init(path: String, assignments: [String] = []) throws {
        let bytes = try Files.read(path, limit: 1 << 20)
        guard let yaml = String(validating: bytes, as: UTF8.self) else {
            throw ConcordError(.invalidConfiguration, "\(path) is not UTF-8 text; save it as UTF-8")
        }
        try self.init(yaml: yaml, source: path, assignments: assignments)
    }

    /// Reads a recipe from text; `source` names it in errors.
    public init(yaml: String, source: String, assignments: [String] = []) throws {
        var reader = try RecipeReader(yaml: yaml, source: source)
        for assignment in assignments { try reader.assign(assignment) }
        try self.init(&reader, text: reader.effectiveText)
        try reader.refuseUnknownKeys()
        try validate(source: source)
    }

    private init(_ read: inout RecipeReader, text: String) throws {
        seed = try read.integer(
            "seed", 1, in: 0...Int(Int32.max), "Seed of everything random: weights, order, augmentation, captions.")
        data = try DataSection(&read)
        tokenizer = try TokenizerSection(&read)
        model = try ModelSection(&read)
        loss = try LossSection(&read)
        train = try TrainSection(&read)
        evaluate = try EvaluateSection(&read)
        self.text = text
    }

    /// What other programs call keys, and the keys that are suggested for those names.
    package static var suggestedKeys: [String: String] { RecipeKeyNames.aliases }

    /// Every key a recipe may have: its path, its default and one line of documentation.
    public static func documentedKeys() throws -> [(path: String, defaultValue: String, summary: String)] {
        var reader = try RecipeReader(yaml: "", source: "recipe")
        _ = try Recipe(&reader, text: "")
        return reader.keys.map { ($0.path, $0.defaultValue, $0.summary) }
    }
}
