import ConcordCore
import ConcordLosses
import ConcordNN
import ConcordTensor

/// One process of a world: runs every cell, and as rank 0 writes losses and gradients.
struct Worker {
    /// Where `results.safetensors` goes.
    let folder: String

    func run() throws {
        guard let group = try ProcessGroup.fromEnvironment(timeout: 60) else {
            throw ConcordError(.invalidConfiguration, "a worker needs MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE")
        }
        let batch = Batch().part(rank: group.rank, worldSize: group.worldSize)
        var results: [(String, Tensor)] = []
        for cell in MatrixCell.all(worldSize: group.worldSize) {
            let towers = Towers(cell.computation), plan = cell.execution(group)
            let generator = Towers.generator(rank: group.rank)
            let embed = towers.embed(generator)
            let first = plan.embed([batch.first.to(cell.computation)], generators: [generator], embed.first)
            let second = plan.embed([batch.second.to(cell.computation)], generators: [generator], embed.second)
            let loss = try cell.value(
                towers, first.to(cell.embeddings), second.to(cell.embeddings), labels: batch.labels, plan.scores)
            loss.backward()
            results.append((cell.name + ":loss", loss.detached().to(.float64)))
            try group.sumGradients(of: towers.parameters.map(\.tensor))
            for (name, parameter) in towers.parameters {
                let gradient = parameter.gradient ?? .zeros(like: parameter.detached())
                results.append((cell.name + ":" + name, gradient.to(.float64)))
            }
        }
        if group.rank == 0 { try TensorFile.write(results, to: folder + "/results.safetensors") }
    }
}
