/// How the next token is chosen from the model's scores.
public enum GenerationStrategy: Sendable, Hashable {
    /// The most probable token each time; of equals the one with the lowest id.
    case greedy

    /// A draw from the model's distribution.
    ///
    /// - Parameters:
    ///   - temperature: what logits are divided by, above 0; below 1 prefers probable tokens.
    ///   - topK: draws from this many of the most probable tokens only (Fan et al. 2018); nil from all.
    ///   - topP: draws from the fewest of the most probable tokens that have this probability together (Holtzman et al.
    ///     2020), in `(0, 1]`. It counts probabilities after the temperature and among the tokens that `topK` leaves.
    ///   - seed: each result of each request draws from a stream of its own, made from the seed and the number of the
    ///     result. So a request gives the same tokens alone and among others.
    case sample(temperature: Double = 1, topK: Int? = nil, topP: Double = 1, seed: UInt64 = 0)

    /// The sequences with the best score that a search finds that goes on with the `width` best beginnings of each length.
    ///
    /// Follows the beam search of Hugging Face transformers with `early_stopping=False`. A sequence's score is the sum of
    /// its tokens' logarithmic probabilities, divided by its number of new tokens (an end token counts) to the power of
    /// `lengthPenalty`. In each step the best continuations of all beams are ranked; a stop token among the first `width`
    /// of them ends its sequence, one that ranks lower is forgotten, and the `width` best others go on. The search
    /// stops when `width` sequences have ended and the best beam, were it to end with its present sum and length, would
    /// not beat the worst of them; or at `maxTokens`, where the first `width` continuations count as sequences, too.
    /// Equals are ranked by token id, then by beam, the lowest first; a sequence that ended earlier stays before an equal.
    ///
    /// - Parameters:
    ///   - width: how many beginnings are kept, of all groups together.
    ///   - groups: divides the beams into groups that search one after the other in each step (Vijayakumar et al. 2018).
    ///   - diversityPenalty: what a token's score loses for each beam of an earlier group that chose it in the same step
    ///     (Hamming diversity). As in transformers the loss stays in the beam's score. More than 0 with several groups,
    ///     which would all find the same without.
    ///   - lengthPenalty: above 0 favours long sequences, below 0 short ones, 0 takes plain sums.
    case beam(width: Int = 6, groups: Int = 1, diversityPenalty: Double = 0, lengthPenalty: Double = 1)
}
