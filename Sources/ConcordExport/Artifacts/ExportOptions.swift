import ConcordRuntime

/// What an exported model is to be like.
public struct ExportOptions: Sendable {
    /// How the graphs are laid out.
    public enum Format: String, Sendable, CaseIterable {
        /// An artifact folder, for Concord's own runtime and server.
        case folder
        /// A model repository of NVIDIA's Triton Inference Server.
        case triton
    }

    public var format = Format.folder
    /// See ``GraphRecorder/usesFusedOperations``.
    public var usesFusedOperations = true
    /// How the weights are stored. Int8 needs a data set to find the ranges of activations with.
    public var precision = ArtifactManifest.Precision.float32
    /// Whether an export that is at the target already may be replaced.
    public var replaces = false
    /// How far numbers of the graphs may be from the model's.
    public var tolerance = 1e-4
    /// What the model is called where nobody names it otherwise; nil takes the name of its folder.
    public var name: String?

    public init() {}
}
