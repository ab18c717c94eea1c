import ConcordCore
import ConcordLosses
import ConcordNN
import ConcordTensor

/// A number of processes that run their cells of the matrix, and the reference that they are compared with.
struct World {
    let size: Int

    /// Starts the processes, waits for them and compares.
    ///
    /// - Throws: `.processGroup` when one of them fails.
    func compare() throws -> [MatrixRow] {
        try ProcessWorld(size: size).run([]) { results in
            try MatrixCell.all(worldSize: size).map { cell in
                let reference = try reference(cell)
                var row = MatrixRow(cell: cell, world: size)
                for (name, expected) in reference {
                    guard let actual = results[cell.name + ":" + name] else {
                        throw ConcordError(.processGroup, "no result of \(cell.name) for \(name)")
                    }
                    row.add(name, actual.scalars(), expected)
                }
                return row
            }
        }
    }

    /// Loss and gradients in float64, in one process, with all activations and all scores at once. The towers are called
    /// on the same pieces, so that dropout draws the same numbers.
    private func reference(_ cell: MatrixCell) throws -> [(name: String, values: [Double])] {
        let towers = Towers(.float64), whole = PairSamples()
        var firsts: [Tensor] = [], seconds: [Tensor] = []
        for rank in 0..<size {
            let batch = whole.part(rank: rank, worldSize: size)
            let embed = towers.embed(Towers.generator(rank: rank))
            func pieces(_ inputs: Tensor, _ tower: ([Tensor]) -> Tensor) -> [Tensor] {
                let count = inputs.size(0), length = cell.plan.isCached ? PairSamples.chunk : max(count, 1)
                return stride(from: 0, to: count, by: length).map {
                    tower([inputs.narrowed(axis: 0, from: $0, count: min(length, count - $0))])
                }
            }
            firsts += pieces(batch.first, embed.first)
            seconds += pieces(batch.second, embed.second)
        }
        // A type with fewer digits rounds the embeddings; what follows is compared on the rounded ones.
        let round: ([Tensor]) -> Tensor = { pieces in
            let all = Tensor.concatenated(pieces)
            return cell.embeddings == .bfloat16 ? all.to(.float32).to(.bfloat16).to(.float64) : all
        }
        let loss = try cell.value(towers, round(firsts), round(seconds), labels: whole.labels, .dense)
        loss.backward()
        return [("loss", [loss.item()])]
            + towers.parameters.map { name, parameter in
                (name, parameter.gradient?.scalars() ?? Array(repeating: 0, count: parameter.scalarCount))
            }
    }
}

/// One process of a world: runs every cell, and as rank 0 writes losses and gradients.
struct Worker {
    /// Where `results.safetensors` goes.
    let folder: String

    func run() throws {
        guard let group = try ProcessGroup.fromEnvironment(timeout: 60) else {
            throw ConcordError(.invalidConfiguration, "a worker needs MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE")
        }
        let batch = PairSamples().part(rank: group.rank, worldSize: group.worldSize)
        var results: [(String, Tensor)] = []
        for cell in MatrixCell.all(worldSize: group.worldSize) {
            let towers = Towers(cell.computation), plan = cell.execution(group)
            let generator = Towers.generator(rank: group.rank)
            let embed = towers.embed(generator)
            let first = plan.embed([batch.first.to(cell.computation)], generators: [generator], embed.first)
            let second = plan.embed([batch.second.to(cell.computation)], generators: [generator], embed.second)
            let loss = try cell.value(
                towers, first.to(cell.embeddings), second.to(cell.embeddings), labels: batch.labels, plan.scores)
            try GradientReducer(towers.parameters.map(\.tensor), group: group).backward(loss)
            results.append((cell.name + ":loss", loss.detached().to(.float64)))
            for (name, parameter) in towers.parameters {
                let gradient = parameter.gradient ?? .zeros(like: parameter.detached())
                results.append((cell.name + ":" + name, gradient.to(.float64)))
            }
        }
        if group.rank == 0 { try TensorFile.write(results, to: ProcessWorld.results(in: folder)) }
    }
}
