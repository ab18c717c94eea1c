import COnnxRuntime
import ConcordCore

/// Options of a session. The defaults suit a service: few threads, none of which spins, and memory that does
/// not grow with the variety of shapes.
public struct OnnxSessionOptions: Hashable, Sendable {
    /// The level of graph optimization when a model is loaded.
    public enum GraphOptimization: Int32, Hashable, Sendable, CaseIterable {
        case none = 0
        case basic = 1
        case extended = 2
        case all = 99
    }

    /// The threads of one run. All but the first, which is the caller's, are shared by the runs of the session.
    ///
    /// On 2 to 8 cores several runs at once with one thread each do more work in all; one run with all threads has its
    /// result sooner.
    public var threadsPerRun: Int
    /// The processors, counted from 0, that each thread but the first is pinned to; empty leaves that to the system.
    public var processorsOfThreads: [[Int]] = []
    public var graphOptimization = GraphOptimization.all
    /// Keeps the memory of a run for the next one, which is faster; a session holds what its largest run needed.
    public var usesMemoryArena = true
    /// Plans the memory of each combination of shapes once, and keeps every plan. Only for few, fixed shapes.
    public var usesMemoryPatterns = false
    /// Lets waiting threads spin for a while before they sleep: sooner results, at the cost of everything else here.
    public var isSpinning = false

    /// - Parameter threadsPerRun: `nil` for the processors that this process may use.
    public init(threadsPerRun: Int? = nil) {
        self.threadsPerRun = threadsPerRun ?? CPUCount.available
    }

    /// Throws `.invalidArgument` for numbers that make no sense.
    func validate() throws(ConcordError) {
        guard threadsPerRun > 0 else {
            throw ConcordError(.invalidArgument, "a run needs at least one thread, got \(threadsPerRun)")
        }
        guard processorsOfThreads.isEmpty || processorsOfThreads.count == threadsPerRun - 1,
            processorsOfThreads.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0 >= 0 } })
        else {
            throw ConcordError(
                .invalidArgument,
                "processorsOfThreads names the processors of \(threadsPerRun - 1) threads, all but "
                    + "the first; got \(processorsOfThreads)")
        }
    }

    /// Runs `body` with what the C seam takes.
    func withSeam<Result>(_ body: (UnsafePointer<cort_session_options>) -> Result) -> Result {
        // ONNX Runtime counts processors from 1.
        let affinities = processorsOfThreads.map { $0.map { "\($0 + 1)" }.joined(separator: ",") }
            .joined(separator: ";")
        return affinities.withCString { text in
            var options = cort_session_options(
                threads: Int32(clamping: threadsPerRun), graph_optimization: graphOptimization.rawValue,
                uses_memory_arena: usesMemoryArena, uses_memory_patterns: usesMemoryPatterns, spins: isSpinning,
                affinities: affinities.isEmpty ? nil : text)
            return body(&options)
        }
    }
}
