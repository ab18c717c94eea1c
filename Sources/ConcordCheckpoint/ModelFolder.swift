import ConcordCore

/// What a model folder holds: the architecture, and where and how its weights are stored.
public struct ModelFolder: Sendable {
    public enum Architecture: Sendable, Hashable {
        case dualEncoder(DualEncoderConfiguration)
        /// A text tower alone, as sentence-transformers keeps them.
        case sentenceEncoder(BERTConfiguration)
    }

    public let path: String
    public let architecture: Architecture
    /// How the weights spell and arrange the model's parameters.
    public let layout: CheckpointLayout
    /// What ``CheckpointReader`` opens: the folder, or a file in it.
    public let weights: String
    /// Nil for a folder that Concord did not write.
    public let manifest: ModelManifest?

    /// The text tower, which every model has.
    public var text: TextTowerConfiguration {
        switch architecture {
        case .dualEncoder(let configuration): configuration.text
        case .sentenceEncoder(let configuration): .bert(configuration)
        }
    }

    /// Reads the configuration of a folder, in whichever of the known forms it is.
    ///
    /// - Throws: `.invalidCheckpoint` for a folder without a configuration, `.invalidConfiguration` for one that
    ///   describes no model that is known.
    public init(_ path: String) throws(ConcordError) {
        guard Files.exists(path + "/config.json") else {
            let isUnfinished = Files.exists(path + "/checkpoints")
            throw ConcordError(
                .invalidCheckpoint,
                "\(path) is no model folder: it has no config.json"
                    + (isUnfinished ? "; its training has not finished, run it again with --resume" : ""))
        }
        self.path = path
        architecture = .dualEncoder(try DualEncoderConfiguration(folder: path))
        layout = .huggingFace
        weights = path
        manifest = Files.exists(path + "/" + ModelManifest.fileName) ? try ModelManifest(folder: path) : nil
    }
}
