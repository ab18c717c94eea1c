import ConcordText
import Foundation

/// The searches once more, written plainly: the whole vocabulary is sorted, and nothing is remembered.
struct PlainSearch {
    struct Found: Equatable {
        var tokens: [Int32]
        var logProbabilities: [Double]
        /// The sum of what ranked the tokens.
        var sum: Double
        var score = 0.0

        var last: Int32 { tokens.last ?? -1 }
    }

    let prompt: [Int32]
    let maxTokens: Int
    var minTokens = 0
    var stops: Set<Int32> = [ScriptedSession.end]
    var allowed: Set<Int32>?
    var penalty = 1.0
    /// Logits of the token behind a prompt and new tokens.
    let logits: ([Int32]) -> [Double]

    /// Tokens that may follow, with the model's logarithm of the probability and the one after the penalty.
    func scores(_ new: [Int32]) -> [(token: Int32, own: Double, score: Double)] {
        let logits = logits(prompt + new), own = ScriptedSession.logProbabilities(logits)
        let seen = Set(prompt + new)
        let penalized = logits.enumerated().map { token, logit in
            !seen.contains(Int32(token)) ? logit : logit > 0 ? logit / penalty : logit * penalty
        }
        let scores = ScriptedSession.logProbabilities(penalized)
        return logits.indices.map { (Int32($0), own[$0], scores[$0]) }.filter { token, _, _ in
            stops.contains(token) ? new.count >= minTokens : allowed?.contains(token) ?? true
        }
    }

    func greedy() -> Found {
        var found = Found(tokens: [], logProbabilities: [], sum: 0)
        while found.tokens.count < maxTokens {
            let choices = scores(found.tokens), best = choices.map(\.score).max()
            guard let choice = choices.first(where: { $0.score == best }) else { break }
            found.tokens.append(choice.token)
            found.logProbabilities.append(choice.own)
            if stops.contains(choice.token) { break }
        }
        return found
    }

    /// The plain beam search of the documentation of `BeamSearch`: one group.
    func beams(width: Int, lengthPenalty: Double = 1) -> [Found] {
        var beams = [Found(tokens: [], logProbabilities: [], sum: 0)]
        var ended = [Found]()
        for length in 1...maxTokens where !beams.isEmpty {
            let next = ranked(beams)
            let isEnd = { (found: Found) in stops.contains(found.last) || length == maxTokens }
            func normalized(_ found: Found) -> Double { found.sum / pow(Double(length), lengthPenalty) }
            for var found in next.prefix(width).filter(isEnd) {
                found.score = normalized(found)
                ended.append(found)
            }
            // The sort of the standard library keeps the order of equals.
            ended = Array(ended.sorted { $0.score > $1.score }.prefix(width))
            beams = Array(next.filter { !isEnd($0) }.prefix(width))
            if ended.count == width, let best = beams.first, normalized(best) <= ended[width - 1].score { beams = [] }
        }
        return ended
    }

    /// All continuations of all beams, the best first, then by token, then by beam.
    private func ranked(_ beams: [Found]) -> [Found] {
        let next = beams.enumerated().flatMap { beam, parent in
            scores(parent.tokens).map { choice in
                (
                    found: Found(
                        tokens: parent.tokens + [choice.token],
                        logProbabilities: parent.logProbabilities + [choice.own],
                        sum: parent.sum + choice.score), beam: beam
                )
            }
        }
        return next.sorted { ($1.found.sum, $0.found.last, $0.beam) < ($0.found.sum, $1.found.last, $1.beam) }
            .map(\.found)
    }

    /// The same with groups, of which later ones avoid the tokens of earlier ones in each step.
    func groupedBeams(
        width: Int, groups: Int, diversity: Double, lengthPenalty: Double = 1, results: Int = 1
    ) -> [Found] {
        let size = width / groups
        var running = Array(repeating: [Found(tokens: [], logProbabilities: [], sum: 0)], count: groups)
        var finished = Array(repeating: [Found](), count: groups)
        for step in 1...maxTokens {
            var chosen = [Int32]()
            for group in 0..<groups where !running[group].isEmpty {
                var all = [(found: Found, beam: Int)]()
                for (beam, parent) in running[group].enumerated() {
                    for choice in scores(parent.tokens) {
                        let loss = diversity * Double(chosen.count { $0 == choice.token })
                        all.append(
                            (
                                Found(
                                    tokens: parent.tokens + [choice.token],
                                    logProbabilities: parent.logProbabilities + [choice.own],
                                    sum: parent.sum + choice.score - loss), beam
                            ))
                    }
                }
                all.sort {
                    $0.found.sum != $1.found.sum
                        ? $0.found.sum > $1.found.sum
                        : $0.found.last != $1.found.last
                            ? $0.found.last < $1.found.last : $0.beam < $1.beam
                }
                let isEnd = { (found: Found) in stops.contains(found.last) || step == maxTokens }
                for var found in all.prefix(size).map(\.found) where isEnd(found) {
                    found.score = found.sum / pow(Double(step), lengthPenalty)
                    finished[group].append(found)
                }
                // The sort of the standard library keeps the order of equals.
                finished[group].sort { $0.score > $1.score }
                finished[group] = Array(finished[group].prefix(size))
                running[group] = Array(all.map(\.found).filter { !isEnd($0) }.prefix(size))
                let cut = all.prefix(size).map { $0.found.last }.filter { !stops.contains($0) }
                chosen += step == maxTokens ? cut : running[group].map { $0.last }
                if finished[group].count == size, let best = running[group].first,
                    best.sum / pow(Double(step), lengthPenalty) <= finished[group][size - 1].score
                {
                    running[group] = []
                }
            }
        }
        return Array(finished.flatMap { $0 }.sorted { $0.score > $1.score }.prefix(results))
    }

    /// Every sequence there is, the best first.
    func all(lengthPenalty: Double) -> [Found] {
        var open = [Found(tokens: [], logProbabilities: [], sum: 0)], ended = [Found]()
        for step in 1...maxTokens {
            var next = [Found]()
            for parent in open {
                for choice in scores(parent.tokens) {
                    var found = Found(
                        tokens: parent.tokens + [choice.token],
                        logProbabilities: parent.logProbabilities + [choice.own], sum: parent.sum + choice.score)
                    found.score = found.sum / pow(Double(step), lengthPenalty)
                    if stops.contains(choice.token) || step == maxTokens {
                        ended.append(found)
                    } else {
                        next.append(found)
                    }
                }
            }
            open = next
        }
        return ended.sorted { $0.score > $1.score }
    }
}
