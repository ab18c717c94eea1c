import ConcordCore
import Synchronization

/// Tokens as they are generated, for code that awaits.
///
/// The model works on a separate thread, because it would block Swift's pool; steps go on while nobody asks, up to
/// the end. Cancelling the task that iterates, or dropping the sequence, stops the work after the step it is at, and the
/// iteration ends. Iterate once.
///
/// ```swift
/// for try await update in TokenStream({ try model.makeGenerator(for: pixels, requests: requests) }) { … }
/// ```
public struct TokenStream: AsyncSequence, Sendable {
    public typealias Element = GenerationUpdate
    public typealias Failure = ConcordError

    private let stream: AsyncStream<Result<GenerationUpdate, ConcordError>>

    /// Starts the work.
    ///
    /// - Parameter makeGenerator: called on the stream's thread, so what it does before the first token, such as
    ///   reading an image, blocks nobody either.
    public init(_ makeGenerator: sending @escaping () throws(ConcordError) -> TokenGenerator) {
        let (stream, continuation) = AsyncStream.makeStream(of: Result<GenerationUpdate, ConcordError>.self)
        self.stream = stream
        let work = Work(makeGenerator: makeGenerator)
        continuation.onTermination = { _ in work.isStopped.store(true, ordering: .relaxed) }
        do throws(ConcordError) {
            try SystemThread.start(name: "concord-generation") { work.run(continuation) }
        } catch {
            continuation.yield(.failure(error))
            continuation.finish()
        }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(iterator: stream.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var iterator: AsyncStream<Result<GenerationUpdate, ConcordError>>.AsyncIterator

        public mutating func next() async throws(ConcordError) -> GenerationUpdate? {
            try await next(isolation: nil)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(ConcordError) -> GenerationUpdate? {
            try await iterator.next(isolation: actor)?.get()
        }
    }

    /// The work of the thread.
    ///
    /// `@unchecked Sendable`: `makeGenerator` was sent here, so nobody else has what it holds, and only the one thread
    /// calls it; `isStopped` is atomic.
    private final class Work: @unchecked Sendable {
        private let makeGenerator: () throws(ConcordError) -> TokenGenerator
        let isStopped = Atomic(false)

        init(makeGenerator: @escaping () throws(ConcordError) -> TokenGenerator) { self.makeGenerator = makeGenerator }

        func run(_ continuation: AsyncStream<Result<GenerationUpdate, ConcordError>>.Continuation) {
            do throws(ConcordError) {
                let generator = try makeGenerator()
                while !isStopped.load(ordering: .relaxed), let updates = try generator.next() {
                    for update in updates { continuation.yield(.success(update)) }
                }
            } catch {
                continuation.yield(.failure(error))
            }
            continuation.finish()
        }
    }
}
