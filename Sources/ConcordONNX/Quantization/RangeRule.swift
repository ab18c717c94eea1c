import ConcordCore

/// How the range of an activation is chosen from what calibration saw. Values outside of it become its ends.
public enum RangeRule: Hashable, Sendable, CustomStringConvertible {
    /// All that was seen. One outlier makes the steps of all other values larger.
    case minimumMaximum
    /// The range that this percentage of the values lies in, half of the rest on either side: 99.99 or 99.999.
    case percentile(Double)
    /// The range whose 8-bit distribution is nearest to that of the values, by the Kullback–Leibler divergence (Migacz,
    /// "8-bit inference with TensorRT", 2017).
    case entropy

    public var description: String {
        switch self {
        case .minimumMaximum: "min-max"
        case .percentile(let percentage): "percentile \(percentage)"
        case .entropy: "entropy"
        }
    }
}
