import ConcordCore

/// What generated captions are worth beside people's: of one caption, or of a set of them.
public struct CaptionScores: Sendable, Hashable {
    /// BLEU-1 to BLEU-4, from 0 to 1 (Papineni et al. 2002): the share of the caption's n-grams that a reference has,
    /// with a penalty for brevity against the reference of the closest length, the shorter of two.
    ///
    /// A set's BLEU is that of all its n-grams together, not the mean of its captions'. As in coco-caption's
    /// `bleu_scorer.py`, 1e-15 and 1e-9 are added to numerators and denominators. So BLEU-n of a caption with fewer
    /// than n words is not 0, and not 1 either where it equals its reference: 0.03 for BLEU-4 of three words.
    public let bleu1, bleu2, bleu3, bleu4: Double
    /// CIDEr-D, from 0 to 10 (Vedantam et al. 2015): cosines of n-grams weighted by tf-idf, clipped, with a Gaussian
    /// penalty for length (σ = 6), averaged over n = 1…4 and over the references, and multiplied by 10.
    ///
    /// Pictures are the documents. So it depends on all pictures of the set, is 0 for a set of one, and gives no weight
    /// to n-grams that every picture has. As in coco-caption's `cider_scorer.py` length is the number of bigrams.
    public let cider: Double
    /// METEOR with only its exact matcher, from 0 to 1 (Banerjee and Lavie 2005), the best over the references.
    ///
    /// F = P·R / (0.9·P + 0.1·R) of the words in common, times 1 − 0.5·(chunks / matches)³, where chunks are the runs
    /// of words that stand alike in both, as few as possible. There is no stemming and no WordNet, and the parameters
    /// are those of 2005, so figures of METEOR 1.5 are not comparable. A caption of n words that equals its reference
    /// has 1 − 0.5/n³. The set's is the mean of its captions'.
    public let exactMETEOR: Double
    /// ROUGE-L, from 0 to 1 (Lin 2004): the F-measure with β = 1.2 of the longest common subsequence, with the highest
    /// precision and the highest recall over the references, as coco-caption's `rouge.py` has it.
    public let rougeL: Double
    /// 1 where the caption equals one of its references but for case and white space, else 0; the share in a set.
    public let exactMatch: Double

    init(bleu: BLEUCounts, cider: Double, exactMETEOR: Double, rougeL: Double, exactMatch: Double) {
        let scores = bleu.scores
        (bleu1, bleu2, bleu3, bleu4) = (scores[0], scores[1], scores[2], scores[3])
        self.cider = cider
        self.exactMETEOR = exactMETEOR
        self.rougeL = rougeL
        self.exactMatch = exactMatch
    }

    public var json: JSONValue {
        [
            "bleu_1": .number(bleu1), "bleu_2": .number(bleu2), "bleu_3": .number(bleu3), "bleu_4": .number(bleu4),
            "cider_d": .number(cider), "meteor_exact": .number(exactMETEOR), "rouge_l": .number(rougeL),
            "exact_match": .number(exactMatch),
        ]
    }
}
