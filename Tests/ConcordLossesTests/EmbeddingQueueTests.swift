import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct EmbeddingQueueTests {
    // MARK: - Cross-batch memory

    /// Against CrossBatchMemory over batches of 4, 4, 4, 3, 7 and 10 with a queue of 10.
    @Test(arguments: ["contrastive", "multi_similarity", "circle"])
    func equalsThePeersCrossBatchMemory(name: String) throws {
        let golden = try PairGolden("embedding_queue")
        let queue = try EmbeddingQueue(capacity: 10, width: 5, hasLabels: true, dtype: .float64)
        for step in 0..<6 {
            let embeddings = try golden.leaf("\(step).embeddings"), labels = try golden.labels("\(step).labels")
            let own = try queue.enqueue(embeddings, labels: labels)
            let reference = queue.embeddings, referenceLabels = try #require(queue.labels)
            #expect(reference.scalars(as: Double.self) == golden.tensors["\(step).memory"]?.values)
            #expect(referenceLabels.scalars(as: Int.self) == golden.tensors["\(step).memoryLabels"]?.integers)
            let loss =
                switch name {
                case "contrastive":
                    try contrastiveLoss(
                        embeddings: embeddings, labels: labels, reference: reference,
                        referenceLabels: referenceLabels, ownRows: own)
                case "circle":
                    try circleLoss(
                        embeddings: embeddings, labels: labels, reference: reference,
                        referenceLabels: referenceLabels, ownRows: own)
                default:
                    try multiSimilarityLoss(
                        embeddings: embeddings, labels: labels, reference: reference,
                        referenceLabels: referenceLabels, ownRows: own)
                }
            try golden.expect(loss, "\(step).\(name)", [(embeddings, "gradient")])
        }
    }

    /// The peer compares a batch of one with itself; here no embedding meets itself.
    @Test func aBatchOfOneDoesNotMeetItself() throws {
        let queue = try EmbeddingQueue(capacity: 4, width: 3, hasLabels: true)
        let row = randomLeaf([1, 3])
        let own = try queue.enqueue(row, labels: Tensor([5]))
        let loss = try multiSimilarityLoss(
            embeddings: row, labels: Tensor([5]), reference: queue.embeddings, referenceLabels: queue.labels,
            ownRows: own)
        #expect(loss.item() == 0)
    }

    // MARK: - First in, first out

    private func rows(_ values: Range<Int>) -> Tensor {
        Tensor(values.flatMap { [Double($0), Double(-$0)] }, shape: [values.count, 2]).to(.float32)
    }

    private func contents(_ queue: EmbeddingQueue) -> Set<Int> {
        let values = queue.embeddings.scalars(as: Double.self)
        #expect(queue.embeddings.shape == [queue.count, 2])
        return Set(stride(from: 0, to: values.count, by: 2).map { Int(values[$0]) })
    }

    @Test func keepsTheLastOnes() throws {
        for sizes in [[3, 3, 3, 3], [1, 5, 2, 4, 7], [7, 7], [8, 1], [20], [2, 16, 3], [5, 14, 1, 7, 30]] {
            let queue = try EmbeddingQueue(capacity: 7, width: 2, hasLabels: true)
            #expect(queue.count == 0)
            #expect(queue.embeddings.shape == [0, 2])
            var total = 0
            for size in sizes {
                let batch = total..<(total + size)
                let places = try queue.enqueue(rows(batch), labels: Tensor(Array(batch))).scalars(as: Int.self)
                total += size
                #expect(queue.count == min(7, total))
                #expect(contents(queue) == Set(max(0, total - 7)..<total), "after \(batch)")
                // Labels stay with their embeddings, and the places returned are where the rows are.
                let labels = try #require(queue.labels).scalars(as: Int.self)
                #expect(labels.map(Double.init) == queue.embeddings.selected(axis: 1, at: 0).scalars(as: Double.self))
                for (value, place) in zip(batch, places) {
                    if value >= total - 7 { #expect(labels[place] == value) } else { #expect(place == -1) }
                }
            }
        }
    }

    @Test func aLargeBatchIsAsItsPieces() throws {
        let whole = try EmbeddingQueue(capacity: 5, width: 2)
        let pieces = try EmbeddingQueue(capacity: 5, width: 2)
        try whole.enqueue(rows(0..<3))
        try whole.enqueue(rows(3..<16))
        for start in 0..<16 { try pieces.enqueue(rows(start..<(start + 1))) }
        #expect(whole.embeddings.scalars(as: Float.self) == pieces.embeddings.scalars(as: Float.self))
        try whole.enqueue(rows(16..<18))
        try pieces.enqueue(rows(16..<18))
        #expect(whole.embeddings.scalars(as: Float.self) == pieces.embeddings.scalars(as: Float.self))
    }

    @Test func copiesAndDetaches() throws {
        let queue = try EmbeddingQueue(capacity: 4, width: 2)
        let batch = randomLeaf([2, 2])
        try queue.enqueue(batch * 1)
        let before = queue.embeddings
        #expect(!before.requiresGradient)
        withoutGradient { batch.zero() }
        #expect(queue.embeddings.scalars(as: Float.self) == before.scalars(as: Float.self))
        // A backward pass over what the queue held still works after it has changed.
        let query = randomLeaf([2, 2], seed: 2)
        let loss = query.matmul(before.transposed(0, 1)).exp().sum()
        try queue.enqueue(rows(0..<4))
        loss.backward()
        #expect(query.gradient != nil)
        #expect(!before.sharesMemory(with: queue.embeddings))
    }

    @Test func convertsToItsType() throws {
        let queue = try EmbeddingQueue(capacity: 4, width: 2)
        try queue.enqueue(rows(0..<3).to(.bfloat16))
        #expect(queue.embeddings.dtype == .float32)
        #expect(contents(queue) == [0, 1, 2])
        #expect(queue.labels == nil)
        queue.removeAll()
        #expect(queue.count == 0)
        try queue.enqueue(rows(5..<6))
        #expect(contents(queue) == [5])
    }

    // MARK: - Resuming

    private func state(_ queue: EmbeddingQueue) -> [String: Tensor] {
        Dictionary(uniqueKeysWithValues: queue.namedState.map { ($0, $1.cloned()) })
    }

    @Test(arguments: [[3], [4, 4], [5, 5, 3]])
    func resumes(sizes: [Int]) throws {
        let queue = try EmbeddingQueue(capacity: 5, width: 2, hasLabels: true)
        var total = 0
        for size in sizes {
            try queue.enqueue(rows(total..<(total + size)), labels: Tensor(Array(total..<(total + size))))
            total += size
        }
        let resumed = try EmbeddingQueue(capacity: 5, width: 2, hasLabels: true)
        try resumed.restore(state(queue), path: "queue.safetensors")
        for _ in 0..<2 {
            #expect(resumed.count == queue.count)
            #expect(resumed.embeddings.scalars(as: Float.self) == queue.embeddings.scalars(as: Float.self))
            #expect(resumed.labels?.scalars(as: Int.self) == queue.labels?.scalars(as: Int.self))
            for each in [queue, resumed] { try each.enqueue(rows(50..<52), labels: Tensor([50, 51])) }
        }
    }

    @Test func badStatesAreRefused() throws {
        let queue = try EmbeddingQueue(capacity: 5, width: 2, hasLabels: true)
        try queue.enqueue(rows(0..<3), labels: Tensor([0, 1, 2]))
        let good = state(queue)
        func refuse(_ name: String, _ tensor: Tensor?, naming parts: [String]) {
            var bad = good
            bad[name] = tensor
            expectError(.invalidCheckpoint, naming: ["somewhere", name] + parts) {
                try queue.restore(bad, path: "somewhere")
            }
            #expect(contents(queue) == [0, 1, 2])
        }
        refuse("queue.embeddings", nil, naming: ["no tensor"])
        refuse("queue.labels", nil, naming: ["no tensor"])
        refuse("queue.position", nil, naming: ["no tensor"])
        refuse("queue.embeddings", .ones([6, 2]), naming: ["[6, 2]", "[5, 2]"])
        refuse("queue.embeddings", .ones([5, 2], dtype: .int64), naming: ["int64", "float32"])
        refuse("queue.labels", .ones([5]), naming: ["float32", "int64"])
        refuse("queue.position", Tensor([6, 0]), naming: ["[6, 0]", "5"])
        refuse("queue.position", Tensor([5, 5]), naming: ["[5, 5]"])
        refuse("queue.position", Tensor([-1, 0]), naming: ["[-1, 0]"])
        refuse("queue.position", Tensor([3, 1]), naming: ["[3, 1]"])
        refuse("queue.position", Tensor([3]), naming: ["[1]", "[2]"])
        try queue.restore(good, path: "somewhere")
        #expect(contents(queue) == [0, 1, 2])
    }

    // MARK: - Bad input

    @Test func badInputIsNamed() throws {
        expectError(.invalidArgument, naming: ["capacity", "0"]) { _ = try EmbeddingQueue(capacity: 0, width: 2) }
        expectError(.invalidArgument, naming: ["width", "-2"]) { _ = try EmbeddingQueue(width: -2) }
        expectError(.dtypeMismatch, naming: ["dtype", "int64"]) { _ = try EmbeddingQueue(width: 2, dtype: .int64) }
        for capacity in [1 << 50, .max] {
            expectError(.invalidArgument, naming: ["capacity \(capacity)", "width 512", "float32", "does not fit"]) {
                _ = try EmbeddingQueue(capacity: capacity, width: 512)
            }
        }

        let plain = try EmbeddingQueue(capacity: 4, width: 2)
        let labelled = try EmbeddingQueue(capacity: 4, width: 2, hasLabels: true)
        expectError(.shapeMismatch, naming: ["batch", "[3, 5]", "[rows, 2]"]) { try plain.enqueue(.ones([3, 5])) }
        expectError(.shapeMismatch, naming: ["batch", "[2]"]) { try plain.enqueue(.ones([2])) }
        expectError(.emptyBatch, naming: ["batch", "[0, 2]"]) { try plain.enqueue(.ones([0, 2])) }
        expectError(.dtypeMismatch, naming: ["batch", "int64"]) { try plain.enqueue(.ones([1, 2], dtype: .int64)) }
        expectError(.nonFiniteValue, naming: ["batch", "nan", "[0, 0]"]) { try plain.enqueue(.full([3, 2], .nan)) }
        expectError(.invalidArgument, naming: ["labels is given"]) {
            try plain.enqueue(rows(0..<2), labels: Tensor([1, 2]))
        }
        expectError(.invalidArgument, naming: ["labels is missing", "[2, 2]"]) { try labelled.enqueue(rows(0..<2)) }
        expectError(.shapeMismatch, naming: ["labels", "[3]", "[2, 2]"]) {
            try labelled.enqueue(rows(0..<2), labels: Tensor([1, 2, 3]))
        }
        expectError(.dtypeMismatch, naming: ["labels", "int32"]) {
            try labelled.enqueue(rows(0..<2), labels: Tensor([1, 2]).to(.int32))
        }
        #expect(plain.count == 0 && labelled.count == 0)
    }
}
