import ConcordCore

/// The places of a training run's files. Once training has ended the folder is a model folder too.
public struct RunFolder: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    /// One JSON object a logged step.
    public var metrics: String { path + "/metrics.jsonl" }
    /// Rows and pictures that could not be used.
    public var skipped: String { path + "/skipped.jsonl" }
    /// Curves, retrieval tables and example queries.
    public var report: String { path + "/report.html" }
    /// The recipe as it was run.
    public var recipe: String { path + "/recipe.yaml" }
    /// One folder a checkpoint.
    public var checkpoints: String { path + "/checkpoints" }
    /// TensorBoard event files.
    public var events: String { path + "/events" }
    /// The tokenizer that was trained for the run, there from its first step on.
    public var tokenizer: String { path + "/tokenizer.json" }
    /// Written last, once the model is complete.
    public var manifest: String { path + "/concord.json" }

    public var isFinished: Bool { Files.exists(manifest) }
}
