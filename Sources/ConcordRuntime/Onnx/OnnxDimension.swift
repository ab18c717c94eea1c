/// The length of an axis in the description of a model.
public enum OnnxDimension: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    case fixed(Int)
    /// A length that each run chooses. Axes of the same name have the same length; an empty name says nothing.
    case symbol(String)

    public init(integerLiteral value: Int) { self = .fixed(value) }
    public init(stringLiteral value: String) { self = .symbol(value) }

    public var description: String {
        switch self {
        case .fixed(let length): "\(length)"
        case .symbol(let name): name.isEmpty ? "?" : name
        }
    }
}
