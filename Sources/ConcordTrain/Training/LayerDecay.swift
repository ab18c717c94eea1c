import ConcordCheckpoint
import ConcordModels
import ConcordNN
import Foundation

/// Lower learning rates for the layers nearer to the input (Bao et al. 2021, BEiT).
///
/// The layers of a tower of L blocks are numbered from 0, the embeddings, over 1…L, the blocks, to L + 1, the head; a
/// layer `i` learns at `decay^(L + 1 − i)` of the rate. What belongs to no tower learns at the full rate.
public struct LayerDecay: Sendable, Hashable {
    public let decay: Double
    private let blocks: [Tower: Int]

    public init(_ decay: Double, model: any ImageTextEncoder) {
        self.decay = decay
        blocks = [.image: model.visionConfiguration.layers, .text: model.textConfiguration.layers]
    }

    /// What the learning rate is multiplied with for a parameter.
    public func callAsFunction(_ parameter: Parameter) -> Double {
        guard let (tower, part) = Tower.place(of: parameter) else { return 1 }
        let blocks = blocks[tower] ?? 0
        let depth =
            switch part {
            case .embeddings: blocks + 1
            case .block(let index): blocks - index
            case .head: 0
            }
        return pow(decay, Double(depth))
    }
}

extension TextTowerConfiguration {
    /// Blocks of the tower.
    var layers: Int {
        switch self {
        case .transformer(let text): text.layers
        case .bert(let text): text.layers
        }
    }
}
