import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct DistillationTests {
    // MARK: - Embeddings

    @Test(arguments: [DType.float64, .float32])
    func embeddingsEqualThePeer(dtype: DType) throws {
        let golden = try PairGolden("distillation_losses")
        for (name, distance) in [("mse", DistillationDistance.squaredError), ("cosine", .cosine)] {
            let student = try golden.leaf("student", dtype), teacher = try golden.leaf("teacher", dtype)
            let loss = try embeddingDistillationLoss(student: student, teacher: teacher, distance: distance)
            try golden.expect(loss, "embedding_\(name)", [(student, "gradient")])
            #expect(teacher.gradient == nil)
        }
    }

    @Test func embeddingsOfHalfPrecisionAndEdges() throws {
        for dtype in [DType.bfloat16, .float16] {
            let student = randomLeaf([3, 4], dtype: dtype)
            let teacher = Tensor.normal([3, 4], generator: Generator(seed: 2))
            for distance in [DistillationDistance.squaredError, .cosine] {
                let loss = try embeddingDistillationLoss(student: student, teacher: teacher, distance: distance)
                #expect(loss.dtype == .float32)
                expectFinite(loss, [student])
            }
        }
        for dtype in [DType.float32, .float64] {
            let student = Tensor([0.0, 0, 1, 2, 1, 2], shape: [3, 2]).to(dtype)
            student.requiresGradient = true
            let teacher = Tensor([1.0, 0, 1, 2, -1, -2], shape: [3, 2]).to(dtype)
            expectFinite(try embeddingDistillationLoss(student: student, teacher: teacher), [student])
            expectFinite(try embeddingDistillationLoss(student: student, teacher: student), [student])
        }
    }

    @Test func badEmbeddingsAreNamed() {
        let student = Tensor.ones([3, 4])
        expectError(.shapeMismatch, naming: ["student", "[3, 4]", "teacher", "[3, 8]", "linear layer from 4 to 8"]) {
            _ = try embeddingDistillationLoss(student: student, teacher: .ones([3, 8]))
        }
        expectError(.shapeMismatch, naming: ["student", "[3, 4]", "teacher", "[2, 4]", "same samples"]) {
            _ = try embeddingDistillationLoss(student: student, teacher: .ones([2, 4]))
        }
        expectError(.dtypeMismatch, naming: ["student", "teacher", "float64"]) {
            _ = try embeddingDistillationLoss(student: student, teacher: student.to(.float64))
        }
        expectError(.emptyBatch, naming: ["student", "[0, 4]"]) {
            _ = try embeddingDistillationLoss(student: .ones([0, 4]), teacher: .ones([0, 4]))
        }
        expectError(.nonFiniteValue, naming: ["teacher", "inf", "[0, 0]"]) {
            _ = try embeddingDistillationLoss(student: student, teacher: .full([3, 4], .infinity))
        }
    }

    // MARK: - Similarities

    @Test(arguments: [DType.float64, .float32], [false, true])
    func similaritiesEqualThePeer(dtype: DType, subtractingEntropy: Bool) throws {
        let golden = try PairGolden("distillation_losses")
        let first = try golden.leaf("studentFirst", dtype), second = try golden.leaf("studentSecond", dtype)
        let teachers = [try golden.leaf("teacherFirst", dtype), try golden.leaf("teacherSecond", dtype)]
        let scale = try golden.leaf("studentScale", dtype), teacherScale = try golden.leaf("teacherScale", dtype)
        let loss = try similarityDistillationLoss(
            studentFirst: first, studentSecond: second, teacherFirst: teachers[0], teacherSecond: teachers[1],
            studentScale: scale, teacherScale: teacherScale, subtractingEntropy: subtractingEntropy)
        var expected = golden
        if subtractingEntropy { expected.tensors["similarity.loss"] = golden.tensors["similarity.divergence"] }
        try expected.expect(
            loss, "similarity", [(first, "gradient"), (second, "secondGradient"), (scale, "scaleGradient")])
        #expect(teachers[0].gradient == nil && teachers[1].gradient == nil && teacherScale.gradient == nil)
    }

    @Test func temperaturesAreOneOverTheFactors() throws {
        let golden = try PairGolden("distillation_losses")
        let loss = try similarityDistillationLoss(
            studentFirst: golden.tensor("studentFirst"), studentSecond: golden.tensor("studentSecond"),
            teacherFirst: golden.tensor("teacherFirst"), teacherSecond: golden.tensor("teacherSecond"),
            studentTemperature: 1 / 14.0, teacherTemperature: 1 / 40.0)
        let expected = try golden.tensor("similarity.loss").item()
        expectClose([loss.item()], [expected], absolute: 0, relative: 1e-10)
    }

    @Test func aStudentThatAgreesHasNoDivergence() throws {
        let first = randomLeaf([5, 4]), second = randomLeaf([5, 4], seed: 2)
        let loss = try similarityDistillationLoss(
            studentFirst: first, studentSecond: second, teacherFirst: first, teacherSecond: second,
            subtractingEntropy: true)
        #expect(abs(loss.item()) < 1e-6)
        expectFinite(loss, [first, second])
    }

    @Test(arguments: [DType.float32, .float64, .bfloat16, .float16])
    func hardSimilaritiesAreFinite(dtype: DType) throws {
        let rows = Tensor.normal([4, 3], generator: Generator(seed: 1)).to(dtype)
        let opposite = (-rows).cloned()
        let teacher = Tensor.ones([4, 6], dtype: dtype)
        for (first, second) in [(rows.cloned(), opposite), (rows.cloned(), rows.cloned())] {
            first.requiresGradient = true
            second.requiresGradient = true
            let loss = try similarityDistillationLoss(
                studentFirst: first, studentSecond: second, teacherFirst: teacher, teacherSecond: teacher,
                studentTemperature: 0.01, teacherTemperature: 0.01, subtractingEntropy: true)
            #expect(loss.dtype == (dtype == .float64 ? .float64 : .float32))
            expectFinite(loss, [first, second])
        }
        let single = randomLeaf([1, 3], dtype: dtype)
        expectFinite(
            try similarityDistillationLoss(
                studentFirst: single, studentSecond: single, teacherFirst: single, teacherSecond: single), [single])
        guard dtype == .float32 || dtype == .float64 else { return }
        let zero = Tensor.zeros([3, 3], dtype: dtype)
        zero.requiresGradient = true
        let others = Tensor.normal([3, 3], generator: Generator(seed: 2)).to(dtype)
        expectFinite(
            try similarityDistillationLoss(
                studentFirst: zero, studentSecond: others, teacherFirst: others, teacherSecond: others), [zero])
    }

    @Test func badSimilaritiesAreNamed() {
        let student = Tensor.ones([3, 4]), teacher = Tensor.ones([3, 6]), scale = Tensor(10)
        let run: (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor) throws -> Void = {
            _ = try similarityDistillationLoss(
                studentFirst: $0, studentSecond: $1, teacherFirst: $2, teacherSecond: $3, studentScale: $4,
                teacherScale: $5)
        }
        expectError(.shapeMismatch, naming: ["studentFirst", "[3, 4]", "studentSecond", "[3, 5]"]) {
            try run(student, .ones([3, 5]), teacher, teacher, scale, scale)
        }
        expectError(.shapeMismatch, naming: ["teacherFirst", "[3, 6]", "teacherSecond", "[2, 6]"]) {
            try run(student, student, teacher, .ones([2, 6]), scale, scale)
        }
        expectError(.shapeMismatch, naming: ["studentFirst", "[3, 4]", "teacherFirst", "[2, 6]", "same samples"]) {
            try run(student, student, .ones([2, 6]), .ones([2, 6]), scale, scale)
        }
        expectError(.dtypeMismatch, naming: ["studentFirst", "teacherFirst", "float64"]) {
            try run(student, student, teacher.to(.float64), teacher.to(.float64), scale, scale)
        }
        expectError(.emptyBatch, naming: ["studentFirst", "[0, 4]"]) {
            try run(.ones([0, 4]), .ones([0, 4]), .ones([0, 4]), .ones([0, 4]), scale, scale)
        }
        expectError(.nonFiniteValue, naming: ["teacherSecond", "nan"]) {
            try run(student, student, teacher, .full([3, 6], .nan), scale, scale)
        }
        expectError(.shapeMismatch, naming: ["studentScale", "[1]"]) {
            try run(student, student, teacher, teacher, .ones([1]), scale)
        }
        expectError(.dtypeMismatch, naming: ["teacherScale", "int64"]) {
            try run(student, student, teacher, teacher, scale, scale.to(.int64))
        }
        expectError(.invalidArgument, naming: ["teacherScale", "-1"]) {
            try run(student, student, teacher, teacher, scale, Tensor(-1))
        }
        expectError(.invalidArgument, naming: ["studentTemperature", "0"]) {
            _ = try similarityDistillationLoss(
                studentFirst: student, studentSecond: student, teacherFirst: teacher, teacherSecond: teacher,
                studentTemperature: 0)
        }
        expectError(.invalidArgument, naming: ["teacherTemperature", "nan"]) {
            _ = try similarityDistillationLoss(
                studentFirst: student, studentSecond: student, teacherFirst: teacher, teacherSecond: teacher,
                teacherTemperature: .nan)
        }
    }

    // MARK: - Margins

    @Test(arguments: [DType.float64, .float32])
    func marginsEqualThePeer(dtype: DType) throws {
        let golden = try PairGolden("distillation_losses")
        func columns(_ count: Int) throws -> [Tensor] {
            try (["queries", "positives"] + (0..<count).map { "negatives.\($0)" }).map { try golden.leaf($0, dtype) }
        }
        func keyed(_ columns: [Tensor]) -> [(Tensor, String)] {
            columns.enumerated().map { ($1, "gradient.\($0)") }
        }
        let two = try columns(1)
        try golden.expect(
            marginMSELoss(
                queries: two[0], positives: two[1], negatives: [two[2]], teacherMargins: golden.tensor("margins")),
            "margin", keyed(two))
        let four = try columns(3)
        try golden.expect(
            marginMSELoss(
                queries: four[0], positives: four[1], negatives: Array(four[2...]),
                teacherScores: golden.tensor("scores")), "margin_scores", keyed(four))
        try golden.expect(
            marginMSELoss(
                queries: four[0], positives: four[1], negatives: Array(four[2...]),
                teacherScores: golden.tensor("scores"), normalizing: true), "margin_cosine", keyed(four))
    }

    @Test(arguments: [DType.bfloat16, .float16])
    func marginsOfHalfPrecision(dtype: DType) throws {
        let rows = randomLeaf([3, 4], dtype: dtype), others = randomLeaf([3, 4], seed: 2, dtype: dtype)
        for normalizing in [false, true] {
            let loss = try marginMSELoss(
                queries: rows, positives: rows, negatives: [others], teacherMargins: .ones([3, 1]),
                normalizing: normalizing)
            #expect(loss.dtype == .float32)
            expectFinite(loss, [rows, others])
        }
        let zero = Tensor.zeros([2, 3])
        zero.requiresGradient = true
        expectFinite(
            try marginMSELoss(
                queries: zero, positives: zero, negatives: [zero], teacherMargins: .ones([2, 1]), normalizing: true),
            [zero])
    }

    @Test func badMarginsAreNamed() {
        let rows = Tensor.ones([3, 4]), margins = Tensor.ones([3, 1])
        expectError(.emptyBatch, naming: ["negatives"]) {
            _ = try marginMSELoss(queries: rows, positives: rows, negatives: [], teacherMargins: .ones([3, 0]))
        }
        expectError(.shapeMismatch, naming: ["queries", "[3, 4]", "positives", "[3, 5]"]) {
            _ = try marginMSELoss(queries: rows, positives: .ones([3, 5]), negatives: [rows], teacherMargins: margins)
        }
        expectError(.shapeMismatch, naming: ["queries", "negatives[1]", "[2, 4]"]) {
            _ = try marginMSELoss(
                queries: rows, positives: rows, negatives: [rows, .ones([2, 4])], teacherMargins: .ones([3, 2]))
        }
        expectError(.nonFiniteValue, naming: ["negatives[0]", "nan"]) {
            _ = try marginMSELoss(
                queries: rows, positives: rows, negatives: [.full([3, 4], .nan)], teacherMargins: margins)
        }
        expectError(.shapeMismatch, naming: ["teacherMargins", "[3, 2]", "[3, 1]"]) {
            _ = try marginMSELoss(queries: rows, positives: rows, negatives: [rows], teacherMargins: .ones([3, 2]))
        }
        expectError(.shapeMismatch, naming: ["teacherScores", "[3, 1]", "[3, 2]"]) {
            _ = try marginMSELoss(queries: rows, positives: rows, negatives: [rows], teacherScores: margins)
        }
        expectError(.dtypeMismatch, naming: ["teacherMargins", "bool"]) {
            _ = try marginMSELoss(
                queries: rows, positives: rows, negatives: [rows], teacherMargins: margins.to(.bool))
        }
        expectError(.nonFiniteValue, naming: ["teacherScores", "inf"]) {
            _ = try marginMSELoss(
                queries: rows, positives: rows, negatives: [rows], teacherScores: .full([3, 2], .infinity))
        }
    }
}
