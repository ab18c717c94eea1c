import ConcordCore

/// What one cell came to: the largest errors of loss and gradients.
struct MatrixRow {
    let cell: MatrixCell
    let world: Int
    private(set) var loss = 0.0
    /// Errors relative to the loss, and of each gradient relative to the largest element of the reference.
    private(set) var lossError = 0.0, towerError = 0.0, scaleError = 0.0, biasError = 0.0

    init(cell: MatrixCell, world: Int) {
        self.cell = cell
        self.world = world
    }

    mutating func add(_ name: String, _ actual: [Double], _ expected: [Double]) {
        let largest = expected.map(abs).max() ?? 0
        let worst = zip(actual, expected).map { abs($0 - $1) }.max() ?? 0
        // A gradient of zero, such as that of a bias that the loss has none of, has to be zero.
        let error = worst == 0 ? 0 : worst.isNaN || actual.count != expected.count ? .infinity : worst / largest
        switch name {
        case "loss":
            loss = expected[0]
            lossError = error
        case "logitScale": scaleError = error
        case "logitBias": biasError = error
        default: towerError = max(towerError, error)
        }
    }

    var json: JSONValue {
        .object([
            .init("loss", .string(cell.loss.rawValue)), .init("plan", .string(cell.plan.rawValue)),
            .init("world", .integer(world)), .init("embeddings", .string(cell.embeddings.rawValue)),
            .init("value", .number(loss)), .init("loss_error", .number(lossError)),
            .init("tower_error", .number(towerError)), .init("scale_error", .number(scaleError)),
            .init("bias_error", .number(biasError)),
        ])
    }
}
