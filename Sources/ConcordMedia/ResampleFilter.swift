import ConcordPlatform

/// The filter of a resize. All but `nearest` widen with the reduction, so that shrinking does not alias.
public enum ResampleFilter: Int, Sendable, Hashable {
    // The raw values are Pillow's, which `preprocessor_config.json` stores as `resample`.
    case nearest = 0
    case lanczos = 1
    case bilinear = 2
    case bicubic = 3
    case box = 4

    /// How far the filter reaches from its centre, in source pixels at scale 1.
    var support: Double {
        switch self {
        case .nearest: 0
        case .box: 0.5
        case .bilinear: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    /// The weight at distance `x` from the centre. Pillow's expressions, in its order: the last bit matters.
    func weight(_ x: Double) -> Double {
        let distance = abs(x)
        switch self {
        case .nearest:
            return 1
        case .box:
            return x > -0.5 && x <= 0.5 ? 1 : 0
        case .bilinear:
            return distance < 1 ? 1 - distance : 0
        case .bicubic:
            // Keys' cubic convolution with a = -0.5.
            let a = -0.5
            if distance < 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
            if distance < 2 { return (((distance - 5) * distance + 8) * distance - 4) * a }
            return 0
        case .lanczos:
            func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
            return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0
        }
    }
}
