import ConcordCore
import ConcordText
import Foundation
import Synchronization
import Testing

/// Tokens that come one by one are those that come at once.
@Suite struct TokenStreamTests {
    static let keys: [UInt64] = [3, 1, 4]
    static let requests: [GenerationRequest] = [
        GenerationRequest(options: GenerationOptions(maxTokens: 12)),
        GenerationRequest(
            options: GenerationOptions(strategy: .sample(seed: 4), maxTokens: 9, resultCount: 2)),
        GenerationRequest(
            prompt: [11, 2, 2], options: GenerationOptions(strategy: .beam(width: 4), maxTokens: 8, resultCount: 3)),
    ]

    /// Updates put together.
    static func joined(_ updates: [GenerationUpdate]) -> [[[Int32]]] {
        var tokens: [[[Int32]]] = [[[]], [[], []], [[], [], []]]
        for update in updates {
            #expect(update.tokens.count == update.logProbabilities.count)
            tokens[update.item][update.result] += update.tokens
        }
        return tokens
    }

    @Test func updatesAreTheResults() throws {
        let all = try TokenGenerator(ScriptedSession(keys: Self.keys), requests: Self.requests).run()
        let generator = try TokenGenerator(ScriptedSession(keys: Self.keys), requests: Self.requests)
        var updates = [GenerationUpdate](), steps = 0
        while let new = try generator.next() {
            updates += new
            steps += 1
            // One token of a result a step, but for those of the search, which come when it ends.
            #expect(new.allSatisfy { $0.tokens.count == 1 || $0.item == 2 && $0.finishReason != nil })
        }
        #expect(steps > 5)
        #expect(Self.joined(updates) == all.map { $0.map(\.tokens) })
        #expect(generator.results == all)
        #expect(updates.count { $0.finishReason != nil } == 6)
    }

    @Test func streamIsTheResults() async throws {
        let all = try TokenGenerator(ScriptedSession(keys: Self.keys), requests: Self.requests).run()
        let stream = TokenStream { () throws(ConcordError) in
            try TokenGenerator(ScriptedSession(keys: Self.keys), requests: Self.requests)
        }
        var updates = [GenerationUpdate]()
        for try await update in stream { updates.append(update) }
        #expect(Self.joined(updates) == all.map { $0.map(\.tokens) })
    }

    @Test func streamThrowsWhatTheModelThrows() async throws {
        let refused = TokenStream { () throws(ConcordError) in
            try TokenGenerator(
                ScriptedSession(keys: [1]),
                requests: [GenerationRequest(options: GenerationOptions(strategy: .beam(width: 0)))])
        }
        await #expect(throws: ConcordError.self) { for try await _ in refused {} }
        let failing = TokenStream { () throws(ConcordError) in
            let session = ScriptedSession(keys: [1]) { key, tokens in
                tokens.count < 3 ? ScriptedSession.logits(key, tokens) : [Double](repeating: .nan, count: 13)
            }
            return try TokenGenerator(
                session, requests: [GenerationRequest(options: GenerationOptions(minTokens: 5))])
        }
        var count = 0
        let error = await #expect(throws: ConcordError.self) { for try await _ in failing { count += 1 } }
        #expect(error?.code == .nonFiniteValue)
        #expect(count == 2)
    }

    private final class Steps: Sendable { let count = Mutex(0) }

    /// Work whose task is cancelled, or whose stream nobody holds, ends; by itself it would never.
    @Test(arguments: [true, false])
    func cancellationStopsTheWork(_ isCancelled: Bool) async throws {
        let steps = Steps()
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        final class Witness: Sendable {
            let end: AsyncStream<Void>.Continuation
            init(_ end: AsyncStream<Void>.Continuation) { self.end = end }
            deinit { end.finish() }
        }
        func start() -> TokenStream {
            let witness = Witness(end)
            return TokenStream { () throws(ConcordError) in
                let session = ScriptedSession(keys: [1], contextLength: .max) { key, tokens in
                    usleep(500)
                    withExtendedLifetime(witness) { steps.count.withLock { $0 = tokens.count } }
                    return ScriptedSession.logits(0, [Int32(tokens.count % 7)])
                }
                return try TokenGenerator(
                    session,
                    requests: [GenerationRequest(options: GenerationOptions(maxTokens: 1 << 40, stopTokens: []))])
            }
        }
        if isCancelled {
            let task = Task {
                var count = 0
                for try await _ in start() { count += 1 }
                return count
            }
            while steps.count.withLock({ $0 }) == 0 { await Task.yield() }
            task.cancel()
            #expect(try await task.value < 1 << 40)
        } else {
            for try await update in start() {
                #expect(update.tokens.count == 1)
                break
            }
        }
        // The session is let go when the thread is done.
        for await _ in ended {}
    }
}
