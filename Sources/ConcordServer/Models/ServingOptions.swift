import ConcordCore
import ConcordMedia
import ConcordRuntime

/// How models are served.
public struct ServingOptions: Sendable {
    /// How each model's sessions use the machine.
    public var model: ExportedModelOptions
    /// Threads that decode pictures.
    public var decodingThreads: Int
    /// Runs that each queue may have at a time.
    public var concurrentRuns: Int
    /// The most items that wait in a queue, those being decoded included.
    public var queueCapacity = 1024
    /// Requests are refused when they would wait longer.
    public var longestWait: Duration = .seconds(5)
    /// The least share of the work that the bulk lane has while the other is busy, from 0 to 1.
    public var bulkShare = 0.2
    /// Runs of pictures or texts have no more items than are done in so long, but two at least.
    public var longestRun: Duration = .milliseconds(80)
    /// A run without progress for longer is given up, and the model is not ready.
    public var stuckAfter: Duration = .seconds(60)
    /// Pictures that are captioned together, at most.
    public var captionBatch = 8
    /// What pictures are refused by, before they are decoded: other formats than those of web pages, too.
    public var imageLimits = ImageLimits(formats: ImageFormat.web)
    /// The bytes that all pictures being decoded or waiting may take.
    public var decodedBytes = 1 << 30
    /// Vectors of pictures that are kept, by the content; 0 keeps none.
    public var cachedEmbeddings = 0
    /// The bytes that all models may take, by the size of their files; nil for no limit.
    public var modelBytes: Int?
    /// How often each model is asked for what it must know; nil for never.
    public var canaryInterval: Duration? = .seconds(15)
    /// Told of faults of models, for logs: the texts are not for clients.
    public var onFault: @Sendable (_ model: String, _ error: ConcordError) -> Void = { _, _ in }
    /// Told once of each loaded model whose answers may be wrong on this machine.
    public var onWarning: @Sendable (_ model: String, _ warning: String) -> Void = { _, _ in }
    /// Whether sums of 8-bit products are cut off on this machine.
    package var productsSaturate = CPUFeatures.int8DotSaturates
    package typealias ModelOpener =
        @Sendable (_ folder: String, _ options: ExportedModelOptions) throws(ConcordError) -> ExportedModel

    /// Opens the model of a folder, on the thread that loads; tests have it wait.
    package var openModel: ModelOpener = { folder, options throws(ConcordError) in
        try ExportedModel(folder: folder, options: options)
    }

    /// - Parameter processors: how many to use. Up to eight runs go on side by side, which does more work in all than one
    ///   run on all processors.
    public init(processors: Int = CPUCount.available) {
        let processors = max(processors, 1)
        decodingThreads = processors
        concurrentRuns = min(processors, 8)
        model = ExportedModelOptions(
            session: OnnxSessionOptions(threadsPerRun: max(processors / min(processors, 8), 1)))
    }
}
