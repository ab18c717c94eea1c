import ConcordCheckpoint
import ConcordCore
import ConcordTensor

/// Which process keeps the moments of which parameter, and updates it.
struct OptimizerShards {
    let group: ProcessGroup
    /// The rank of each parameter.
    let owners: [Int]

    /// The largest parameters first, each to the process that has the fewest bytes.
    init(_ parameters: [Parameter], _ group: ProcessGroup) {
        self.group = group
        let bytes = parameters.map { $0.tensor.scalarCount * $0.tensor.dtype.byteCount }
        var owners = [Int](repeating: 0, count: parameters.count)
        var loads = [Int](repeating: 0, count: group.worldSize)
        for index in parameters.indices.sorted(by: { (bytes[$1], $0) < (bytes[$0], $1) }) {
            let owner = loads.indices.min { (loads[$0], $0) < (loads[$1], $1) } ?? 0
            owners[index] = owner
            loads[owner] += bytes[index]
        }
        self.owners = owners
    }

    func isOwn(_ parameter: Int) -> Bool { owners[parameter] == group.rank }

    /// Sends each parameter from the process that updated it to all others, many at once.
    func share(_ parameters: [Parameter]) throws(ConcordError) {
        for owner in 0..<group.worldSize {
            var batch: [Tensor] = [], bytes = 0
            for (index, parameter) in parameters.enumerated() where owners[index] == owner {
                let tensor = parameter.tensor.detached(), size = tensor.scalarCount * tensor.dtype.byteCount
                if let first = batch.first, bytes + size > Self.batchBytes || first.dtype != tensor.dtype {
                    try send(batch, from: owner)
                    (batch, bytes) = ([], 0)
                }
                batch.append(tensor)
                bytes += size
            }
            if !batch.isEmpty { try send(batch, from: owner) }
        }
    }

    private static let batchBytes = 25 << 20

    private func send(_ tensors: [Tensor], from owner: Int) throws(ConcordError) {
        let flat = withoutGradient { Tensor.concatenated(tensors.map { $0.reshaped([$0.scalarCount]) }) }
        try group.broadcast(flat, from: owner)
        guard owner != group.rank else { return }
        withoutGradient {
            var start = 0
            for tensor in tensors {
                let part = flat.narrowed(axis: 0, from: start, count: tensor.scalarCount)
                tensor.copy(from: part.reshaped(tensor.shape))
                start += tensor.scalarCount
            }
        }
    }
}

extension AdamW {
    /// Sends every parameter from the process that updated it to all others. Call it after ``step(learningRate:)`` where
    /// processes share out the moments; without that it does nothing.
    ///
    /// - Throws: `.processGroup`.
    public func shareUpdates() throws(ConcordError) { try shards?.share(parameters) }

    /// Writes the state of all processes to one file, as a process on its own would: a checkpoint does not depend on how
    /// many share it.
    ///
    /// All processes call it. The tensors come one by one, so that no process holds all moments.
    ///
    /// - Parameter path: the file, on rank 0; nil on the others, which only take part.
    /// - Throws: `.processGroup`; `.fileSystem` on rank 0, after which the others cannot go on.
    public func save(to path: String?) throws {
        guard let shards else {
            if let path { try TensorFile.write(namedState, to: path) }
            return
        }
        // In the order in which the file is written.
        let all = parameters.enumerated().flatMap { index, parameter in
            State.suffixes.map { suffix in SharedTensor(index: index, parameter: parameter, suffix: suffix) }
        }
        let entries = all.map { entry in
            SafetensorsTensor(entry.name, entry.dtype, entry.shape) { write in
                try withoutGradient { try self.collect(entry, shards).withUnsafeBytes(write) }
            }
        }
        if let path {
            try SafetensorsWriter.write(to: path, tensors: entries)
        } else {
            try SafetensorsWriter.produce(entries)
        }
    }

    /// A tensor of the state that one of the processes has.
    private struct SharedTensor {
        let index: Int
        let parameter: Parameter
        let suffix: String

        var name: String { parameter.name + suffix }
        var isStep: Bool { suffix == State.suffixes[2] }
        var shape: [Int] { isStep ? [] : parameter.tensor.shape }
        var dtype: DType { isStep ? .float32 : parameter.tensor.dtype }
    }

    private func collect(_ entry: SharedTensor, _ shards: OptimizerShards) throws(ConcordError) -> Tensor {
        let own = states[entry.index]?.tensors.first { $0.suffix == entry.suffix }?.tensor
        let tensor = own ?? .zeros(entry.shape, dtype: entry.dtype)
        try shards.group.broadcast(tensor, from: shards.owners[entry.index])
        return tensor
    }
}
