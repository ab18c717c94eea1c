import ConcordCore
import ConcordTensor

/// The input of a contrastive loss: the two sides of a batch, labels and masks.
public struct PairBatch {
    /// Embeddings `[count, width]`; row `i` of one side belongs to row `i` of the other.
    let first, second: Tensor
    /// int64 `[count]`; nil where each sample is a class of its own.
    let labels: Tensor?
    let masks: PairMasks
    /// Whether both sides are the same embeddings.
    let comparesWithItself: Bool

    init(
        first: Tensor, second: Tensor, labels: Tensor? = nil, masks: PairMasks = PairMasks(),
        comparesWithItself: Bool = false
    ) {
        self.first = first
        self.second = second
        self.labels = labels
        self.masks = masks
        self.comparesWithItself = comparesWithItself
    }

    init(_ embeddings: Tensor, labels: Tensor) {
        self.init(first: embeddings, second: embeddings, labels: labels, comparesWithItself: true)
    }

    /// Checks the batch, the plan and the loss's settings.
    ///
    /// - Parameter settings: checks those of the loss.
    /// - Throws: the errors of ``ContrastiveLoss``; on every process if one of them fails.
    func check(_ plan: ScorePlan, settings: () throws(ConcordError) -> Void) throws(ConcordError) {
        switch plan {
        case .dense, .tiled:
            try settings()
            try plan.check()
            try LossInput.checkNotEmpty(first, firstName)
            try checkSides()
            try masks.check(first, columns: first.size(0))
        case .gathered(let group, _):
            var failure: ConcordError?
            do {
                try settings()
                try plan.check()
                try checkSides()
            } catch {
                failure = error
            }
            let given = [labels, masks.positives, masks.ignored].map { $0 != nil }
            let count = try group.agree(rows: failure == nil ? first.size(0) : 0, given: given, failure: failure)
            guard count > 0 else {
                throw ConcordError(
                    .emptyBatch, "\(firstName) has shape \(first.shape) here and no rows in any other process")
            }
            try plan.agreed { () throws(ConcordError) in try masks.check(first, columns: count) }
        }
    }

    private var firstName: String { comparesWithItself ? "embeddings" : "first" }

    private func checkSides() throws(ConcordError) {
        try LossInput.checkVectors(first, firstName)
        if !comparesWithItself {
            try LossInput.checkVectors(second, "second")
            try LossInput.checkAlike(first, "first", second, "second")
            try LossInput.checkFinite(second, "second")
        }
        try LossInput.checkFinite(first, firstName)
        if let labels { try LossInput.checkLabels(labels, "labels", of: first, firstName) }
    }

    /// The batch with its sides swapped.
    func reversed(_ plan: ScorePlan) throws(ConcordError) -> PairBatch {
        var other = PairMasks()
        other.positives = try transposed(masks.positives, plan)
        other.ignored = try transposed(masks.ignored, plan)
        return PairBatch(first: second, second: first, labels: labels, masks: other)
    }

    /// This process's rows of the transposed mask of the whole batch.
    private func transposed(_ mask: Tensor?, _ plan: ScorePlan) throws(ConcordError) -> Tensor? {
        guard let mask else { return nil }
        guard case .gathered(let group, _) = plan else { return mask.transposed(0, 1) }
        let gathered = try group.gatherRows(mask.to(.uint8))
        return gathered.all.to(.bool).narrowed(axis: 1, from: gathered.own.lowerBound, count: gathered.own.count)
            .transposed(0, 1)
    }
}

/// The columns of a batch: those of all processes, if there are several.
struct GatheredBatch {
    /// `[batch, width]`, without gradient.
    let vectors: Tensor
    /// int64 `[batch]`
    let labels: Tensor?
    /// The columns of this process.
    let own: Range<Int>

    init(_ vectors: Tensor, labels: Tensor?, _ group: ProcessGroup?) throws(ConcordError) {
        guard let group else {
            self.vectors = vectors
            self.labels = labels
            own = 0..<vectors.size(0)
            return
        }
        let gathered = try group.gatherRows(vectors)
        self.vectors = gathered.all
        own = gathered.own
        if let labels { self.labels = try group.gatherRows(labels).all } else { self.labels = nil }
    }
}

extension ScorePlan {
    /// Runs checks; a failure of one process is a failure of all.
    func agreed(_ check: () throws(ConcordError) -> Void) throws(ConcordError) {
        guard case .gathered(let group, _) = self else { return try check() }
        var failure: ConcordError?
        do { try check() } catch { failure = error }
        _ = try group.agree(rows: 0, failure: failure)
    }
}

extension ProcessGroup {
    /// Adds up the rows of all processes. A failure of one is a failure of all, so that none waits for it.
    ///
    /// - Parameter given: presence of labels, `masks.positives` and `masks.ignored`. They are gathered from all
    ///   processes, so it must be the same everywhere.
    func agree(
        rows: Int, given: [Bool] = [false, false, false], failure: ConcordError?
    ) throws(ConcordError) -> Int {
        let report = [rows, failure == nil ? 0 : 1] + given.map { $0 ? 1 : 0 }
        let reports = try allGather(Tensor(report)).map { $0.scalars(as: Int.self) }
        if let failure { throw failure }
        if let other = reports.firstIndex(where: { $0[1] == 1 }) {
            throw ConcordError(
                .processGroup, "rank \(other) refused its part of the batch; its own error says why")
        }
        for (index, name) in ["labels", "masks.positives", "masks.ignored"].enumerated() {
            let ranks = reports.indices.filter { reports[$0][2 + index] == 1 }
            guard ranks.isEmpty || ranks.count == worldSize else {
                throw ConcordError(
                    .processGroup,
                    "\(name) is given by \(ranks.count) of \(worldSize) processes, the first of them rank \(ranks[0]); "
                        + "give it in all or in none")
            }
        }
        return reports.reduce(0) { $0 + $1[0] }
    }
}

/// Positives and ignored pairs of a batch, given one by one: bool `[count, batch]`, with a row for each sample of this
/// process, a column for each sample of the batch of all processes.
///
/// A sample need not have a positive. ``InfoNCE`` leaves an anchor without one out of its mean, in either direction,
/// ``TripletMarginLoss`` forms no triplet with it, and ``SigmoidLoss`` counts its negatives.
public struct PairMasks {
    /// True where the column's second embedding is a positive of the row's first. Labels add positives according to the
    /// loss's ``DuplicatePolicy``. Nil leaves the choice to labels; without them, each row's positive is its own
    /// column.
    public var positives: Tensor?
    /// True where the pair is neither positive nor negative: false negatives, such as captions that fit as well.
    public var ignored: Tensor?

    public init(positives: Tensor? = nil, ignored: Tensor? = nil) {
        self.positives = positives
        self.ignored = ignored
    }

    var isEmpty: Bool { positives == nil && ignored == nil }

    /// - Parameters:
    ///   - first: embeddings of the rows `[rows, width]`.
    ///   - columns: samples of the whole batch.
    /// - Throws: `.shapeMismatch` or `.dtypeMismatch`.
    func check(_ first: Tensor, columns: Int) throws(ConcordError) {
        let rows = first.size(0)
        for case let (name, mask?) in [("positives", positives), ("ignored", ignored)] {
            guard mask.shape == [rows, columns] else {
                throw ConcordError(
                    .shapeMismatch, "masks.\(name) has shape \(mask.shape); it must be [\(rows), \(columns)]")
            }
            guard mask.dtype == .bool, mask.device == first.device else {
                throw ConcordError(
                    .dtypeMismatch,
                    "masks.\(name) of shape \(mask.shape) is \(mask.dtype.rawValue) on \(mask.device); it must be bool on "
                        + "\(first.device)")
            }
        }
    }
}
