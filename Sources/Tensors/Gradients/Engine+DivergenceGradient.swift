import CKernels

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The gradient of the divergence from a teacher.
extension Engine {
    /// Replaces logits by the gradient of their divergence from a teacher's distributions.
    ///
    /// Let p be the teacher's `softmax(logits / T)`, q the student's, and m the mixture
    /// `β p + (1 - β) q`. For 0 < β < 1 the loss is `T² (β KL(p ‖ m) + (1 - β) KL(q ‖ m))`. This
    /// formula is 0 at β = 0 and at β = 1. For these two values the loss is the magnitude of the
    /// formula's derivative with respect to β: `T² KL(p ‖ q)` at β = 0, `T² KL(q ‖ p)` at β = 1.
    ///
    /// Source: Agarwal et al., "On-policy distillation of language models", arXiv 2306.13649,
    /// section 3.
    ///
    /// - Parameters:
    ///   - logits: Shape `[rows, classes]`; becomes the gradient.
    ///   - teacher: The teacher's logits, of the same shape.
    ///   - temperature: T.
    ///   - mixture: β, from 0 to 1.
    ///   - factor: The gradient is multiplied by this factor.
    /// - Returns: The sum of the loss over rows, in nats, not multiplied by `factor`.
    public func differentiateDivergence(
        _ logits: inout Activations, from teacher: Activations, temperature: Float,
        mixture: Float = 0, factor: Float
    ) -> Double {
        precondition(
            logits.rows == teacher.rows && logits.columns == teacher.columns,
            "the logits of student and teacher must have the same shape")
        precondition((0...1).contains(mixture), "the mixture must be from 0 to 1")
        let (rows, columns) = (logits.rows, logits.columns)
        let slope = factor * temperature
        var divergences = [Double](repeating: 0, count: rows)
        withPointers(
            writing: &logits.storage, &divergences, reading: teacher.storage
        ) { logits, divergences, teacher in
            splitRows(rows) { rows in
                let given = UnsafeMutablePointer<Float>.allocate(capacity: columns)
                defer { given.deallocate() }
                for row in rows {
                    let (own, teacherRow) = (logits + row * columns, teacher + row * columns)
                    for column in 0..<columns {
                        own[column] /= temperature
                        given[column] = teacherRow[column] / temperature
                    }
                    divergences[row] = differentiate(
                        own, from: given, columns, mixture: mixture, factor: slope)
                }
            }
        }
        return Double(temperature * temperature) * divergences.reduce(0, +)
    }

    /// Returns the loss of one row, without the factor T².
    ///
    /// The caller divides both rows of logits by T. This function replaces the student's logits by
    /// the gradient, and the teacher's logits by p.
    private func differentiate(
        _ own: UnsafeMutablePointer<Float>, from given: UnsafeMutablePointer<Float>, _ count: Int,
        mixture: Float, factor: Float
    ) -> Double {
        var divergence = 0.0
        if mixture == 0 {
            let (a, b) = (
                kernels.log_sum_exp_f32(given, count), kernels.log_sum_exp_f32(own, count)
            )
            divergence = kernels.divergence_f32(given, own, count, a, b)
        }
        kernels.softmax_f32(own, count, 1)
        kernels.softmax_f32(given, count, 1)
        guard mixture == 0 else {
            return Self.differentiateMixture(own, given, count, mixture: mixture, factor: factor)
        }
        for place in 0..<count { own[place] = factor * (own[place] - given[place]) }
        return divergence
    }

    /// Returns the loss of one row for β > 0, without the factor T².
    ///
    /// Replaces the distribution q by the gradient with respect to the logits,
    /// `factor · (1 - β) q (log(q / m) - KL(q ‖ m))`. At β = 1 the weight 1 - β is replaced by 1,
    /// both in the loss and in the gradient.
    ///
    /// The gradient has no derivative of m, because the terms of that derivative cancel.
    private static func differentiateMixture(
        _ own: UnsafeMutablePointer<Float>, _ given: UnsafePointer<Float>, _ count: Int,
        mixture: Float, factor: Float
    ) -> Double {
        // Probabilities are raised to at least the smallest normal number: log 0 is not finite.
        let minimum = Float.leastNormalMagnitude
        var (ours, theirs) = (0.0, 0.0)
        for place in 0..<count {
            let (q, p) = (own[place], given[place])
            let mixed = max(mixture * p + (1 - mixture) * q, minimum)
            ours += Double(q * log(max(q, minimum) / mixed))
            if mixture < 1 { theirs += Double(p * log(max(p, minimum) / mixed)) }
        }
        let share = mixture < 1 ? 1 - mixture : 1
        for place in 0..<count {
            let (q, p) = (own[place], given[place])
            let mixed = max(mixture * p + (1 - mixture) * q, minimum)
            own[place] = factor * share * q * (log(max(q, minimum) / mixed) - Float(ours))
        }
        return Double(share) * ours + (mixture < 1 ? Double(mixture) * theirs : 0)
    }
}
