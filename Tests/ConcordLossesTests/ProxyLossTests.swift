import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

@Suite struct ProxyLossTests {
    typealias ProxyLoss = @Sendable (_ proxies: Tensor, _ embeddings: Tensor, _ labels: Tensor) throws -> Tensor

    private static let losses: [String: ProxyLoss] = [
        "arc_face": { try MarginHead(weight: $0, margin: .arcFace())($1, labels: $2) },
        "arc_face_wide": { try MarginHead(weight: $0, margin: .arcFace(degrees: 90), scale: 30)($1, labels: $2) },
        "cos_face": { try MarginHead(weight: $0, margin: .cosFace())($1, labels: $2) },
        "cos_face_other": { try MarginHead(weight: $0, margin: .cosFace(0.1), scale: 16)($1, labels: $2) },
        "proxy_anchor": { try ProxyAnchor(proxies: $0)($1, labels: $2) },
        "proxy_anchor_other": { try ProxyAnchor(proxies: $0, margin: 0.3, scale: 10)($1, labels: $2) },
    ]
    private static let names = losses.keys.sorted()

    /// The peer's weights of ArcFace and CosFace are the transpose of ours; the golden script turns them.
    @Test(arguments: names, [DType.float64, .float32])
    func equalsThePeer(name: String, dtype: DType) throws {
        let golden = try PairGolden("proxy_losses")
        let loss = try #require(Self.losses[name])
        let embeddings = try golden.leaf("embeddings", dtype), proxies = try golden.leaf("proxies", dtype)
        let value = try loss(proxies, embeddings, golden.labels("labels"))
        #expect(value.dtype == dtype)
        try golden.expect(value, name, [(embeddings, "gradient"), (proxies, "proxyGradient")])
    }

    @Test func logitsEqualThePeer() throws {
        let golden = try PairGolden("proxy_losses")
        let embeddings = try golden.tensor("embeddings"), proxies = try golden.tensor("proxies")
        for (name, logits) in [
            ("arc_face", try MarginHead(weight: proxies, margin: .arcFace()).logits(embeddings)),
            ("arc_face_wide", try MarginHead(weight: proxies, margin: .arcFace(), scale: 30).logits(embeddings)),
            ("cos_face_other", try MarginHead(weight: proxies, margin: .cosFace(), scale: 16).logits(embeddings)),
        ] {
            #expect(logits.shape == [10, 6])
            expectClose(
                logits.scalars(as: Double.self), try golden.tensor("\(name).logits").scalars(as: Double.self),
                absolute: 1e-12, name)
        }
    }

    /// Embeddings on their proxy and opposite to it, where the peer's ArcFace has a gradient that is not a number.
    @Test(arguments: names, [DType.float64, .float32])
    func hardRowsAreFinite(name: String, dtype: DType) throws {
        let loss = try #require(Self.losses[name])
        for seed in 1...20 {
            let proxies = Tensor.normal([4, 5], generator: Generator(seed: UInt64(seed))).to(dtype)
            let embeddings = Tensor.concatenated(
                [proxies, -proxies, .zeros([2, 5], dtype: dtype), proxies.narrowed(axis: 0, from: 0, count: 1) * 3],
                axis: 0)
            let labels = Tensor([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 0])
            proxies.requiresGradient = true
            embeddings.requiresGradient = true
            expectFinite(try loss(proxies, embeddings, labels), [proxies, embeddings], name)
            let single = proxies.detached().narrowed(axis: 0, from: 2, count: 1).cloned()
            single.requiresGradient = true
            expectFinite(try loss(proxies, single, Tensor([2])), [proxies, single], name)
        }
        // Axis-parallel, so that cosines are 1, 0 and -1 to the last bit.
        let exact = Tensor.identity(3, dtype: dtype)
        let rows = Tensor.concatenated([exact, -exact], axis: 0)
        exact.requiresGradient = true
        rows.requiresGradient = true
        expectFinite(try loss(exact, rows, Tensor([0, 1, 2, 0, 1, 2])), [exact, rows], name)
    }

    /// On the proxy itself the margin still counts in full.
    @Test func arcFaceAtAngleZero() throws {
        let weight = Tensor.identity(2, dtype: .float64)
        let loss = try MarginHead(weight: weight, margin: .arcFace(degrees: 60), scale: 2)(
            Tensor([1.0, 0], shape: [1, 2]), labels: Tensor([0]))
        #expect(abs(loss.item() - log1p(exp(2 * (0 - 0.5)))) < 1e-15)
    }

    /// Zero vectors are at 90° to everything: the margin counts in full, as the peer's does.
    @Test(arguments: [DType.float64, .float32]) func marginsOfZeroVectors(_ dtype: DType) throws {
        let turned = 64 * cos((90 + 28.6) * Double.pi / 180)  // -30.64
        #expect(abs(turned + 30.64) < 5e-3)
        let zero = [0.0, 0], first = [1.0, 0], second = [0.0, 1]
        for (embedding, own, other, cosine) in [
            (zero, first, second, 0.0), (first, zero, second, 0), (zero, zero, first, 0), (zero, zero, zero, 0),
            // A length that counts as zero, and one that does not.
            (first.map { $0 * 1e-13 }, first, second, 1e-13), (second.map { $0 * 1e-11 }, first, second, 0),
        ] {
            let rows = Tensor(embedding, shape: [1, 2]).to(dtype),
                weight = Tensor(own + other, shape: [2, 2]).to(dtype)
            rows.requiresGradient = true
            weight.requiresGradient = true
            let otherCosine = embedding == second.map { $0 * 1e-11 } ? 1.0 : 0
            let arc = try MarginHead(weight: weight, margin: .arcFace())(rows, labels: Tensor([0]))
            let expected = log1p(exp(64 * (otherCosine - cosine) - turned))
            #expect(abs(arc.item() - expected) < 1e-5 * expected)
            let cosFace = try MarginHead(weight: weight, margin: .cosFace())(rows, labels: Tensor([0]))
            #expect(abs(cosFace.item() - log1p(exp(64 * (otherCosine - cosine + 0.35)))) < 1e-4)
            expectFinite(arc, [rows, weight], "\(embedding) \(own)")
        }
    }

    @Test(arguments: names, [DType.bfloat16, .float16])
    func halfPrecisionIsComputedInFloat32(name: String, dtype: DType) throws {
        let loss = try #require(Self.losses[name])
        // As in mixed precision: weights in float32 beside embeddings in half precision.
        let proxies = randomLeaf([4, 6]), half = randomLeaf([5, 6], seed: 2, dtype: dtype)
        let labels = Tensor([0, 3, 3, 1, 0])
        let value = try loss(proxies, half, labels)
        #expect(value.dtype == .float32)
        #expect(try value.item() == loss(proxies, half.detached().to(.float32), labels).item())
        expectFinite(value, [proxies, half], name)
        #expect(half.dtype == dtype)
        let scoped = try autocast(dtype) { try loss(proxies, half, labels) }
        #expect(scoped.item() == value.item())
    }

    @Test func randomWeightsAreLeaves() throws {
        let arc = try MarginHead(classes: 200, width: 30, margin: .arcFace(), generator: Generator(seed: 7))
        let cos = try MarginHead(classes: 200, width: 30, margin: .cosFace(), generator: Generator(seed: 7))
        let anchor = try ProxyAnchor(classes: 200, width: 30, generator: Generator(seed: 7))
        for (tensor, deviation) in [(arc.weight, 1), (cos.weight, 1), (anchor.proxies, 0.1)] {
            #expect(tensor.shape == [200, 30])
            #expect(tensor.isLeaf && tensor.requiresGradient)
            #expect(tensor.dtype == .float32)
            #expect(abs(tensor.detached().square().mean().item().squareRoot() / deviation - 1) < 0.03)
        }
        // The same seed gives the same weights.
        #expect(arc.weight.scalars(as: Float.self) == cos.weight.scalars(as: Float.self))
        // The peer's defaults.
        #expect(arc.margin == .arcFace(degrees: 28.6) && arc.scale == 64)
        #expect(cos.margin == .cosFace(0.35) && cos.scale == 64)
        #expect(anchor.margin == 0.1 && anchor.scale == 32)
    }

    // MARK: - Bad input

    @Test(arguments: names)
    func badInputIsNamed(name: String) throws {
        let loss = try #require(Self.losses[name])
        let proxies = Tensor.ones([3, 4]), embeddings = Tensor.ones([2, 4]), labels = Tensor([0, 2])
        let table = name.hasPrefix("proxy") ? "proxies" : "weight"
        expectError(.shapeMismatch, naming: ["embeddings", "[2]"]) { _ = try loss(proxies, .ones([2]), labels) }
        expectError(.shapeMismatch, naming: ["embeddings", "[2, 5]", table, "[3, 4]"]) {
            _ = try loss(proxies, .ones([2, 5]), labels)
        }
        expectError(.dtypeMismatch, naming: ["embeddings", "float64", table]) {
            _ = try loss(proxies, embeddings.to(.float64), labels)
        }
        expectError(.emptyBatch, naming: ["embeddings", "[0, 4]"]) {
            _ = try loss(proxies, .ones([0, 4]), Tensor([Int]()))
        }
        expectError(.shapeMismatch, naming: ["labels", "[3]", "[2, 4]"]) {
            _ = try loss(proxies, embeddings, Tensor([0, 1, 2]))
        }
        expectError(.dtypeMismatch, naming: ["labels", "int32"]) {
            _ = try loss(proxies, embeddings, labels.to(.int32))
        }
        expectError(.invalidArgument, naming: ["labels", "[2]", "3 at [1]", "0..<3"]) {
            _ = try loss(proxies, embeddings, Tensor([0, 3]))
        }
        expectError(.invalidArgument, naming: ["labels", "-1 at [0]"]) {
            _ = try loss(proxies, embeddings, Tensor([-1, 3]))
        }
        expectError(.nonFiniteValue, naming: ["embeddings", "nan", "[0, 0]"]) {
            _ = try loss(proxies, .full([2, 4], .nan), labels)
        }
        expectError(.shapeMismatch, naming: [table, "[4]"]) { _ = try loss(.ones([4]), embeddings, labels) }
        expectError(.nonFiniteValue, naming: [table, "inf"]) {
            _ = try loss(.full([3, 4], .infinity), embeddings, labels)
        }
    }

    @Test func badNumbersAreNamed() {
        let weight = Tensor.ones([3, 4]), generator = Generator(seed: 1)
        expectError(.invalidArgument, naming: ["margin", "181.0 degrees"]) {
            _ = try MarginHead(weight: weight, margin: .arcFace(degrees: 181))
        }
        expectError(.invalidArgument, naming: ["margin", "nan degrees"]) {
            _ = try MarginHead(weight: weight, margin: .arcFace(degrees: .nan))
        }
        expectError(.invalidArgument, naming: ["scale", "0"]) {
            _ = try MarginHead(weight: weight, margin: .arcFace(), scale: 0)
        }
        expectError(.invalidArgument, naming: ["scale", "inf"]) {
            _ = try MarginHead(weight: weight, margin: .cosFace(), scale: .infinity)
        }
        expectError(.invalidArgument, naming: ["margin", "-0.1"]) {
            _ = try MarginHead(weight: weight, margin: .cosFace(-0.1))
        }
        expectError(.invalidArgument, naming: ["margin", "nan"]) { _ = try ProxyAnchor(proxies: weight, margin: .nan) }
        expectError(.invalidArgument, naming: ["scale", "-2"]) { _ = try ProxyAnchor(proxies: weight, scale: -2) }
        expectError(.invalidArgument, naming: ["classes", "0"]) {
            _ = try ProxyAnchor(classes: 0, width: 3, generator: generator)
        }
        expectError(.invalidArgument, naming: ["width", "-3"]) {
            _ = try MarginHead(classes: 2, width: -3, margin: .arcFace(), generator: generator)
        }
        expectError(.invalidArgument, naming: ["classes", "-1"]) {
            _ = try MarginHead(classes: -1, width: 3, margin: .cosFace(), generator: generator)
        }
    }
}
