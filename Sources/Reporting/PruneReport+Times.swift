extension PruneReport {
    /// Scales all times, so that the ratio of any two shown times is the shown speedup.
    ///
    /// A speedup is the median of paired ratios, which usually differs from the ratio of two
    /// medians. Also, the dense model was timed several times: for the profile, and with each
    /// model. Here it gets one time, the median of the times measured with the models. The time of
    /// a model is this time divided by its speedup. The time that no plan changes keeps its
    /// fraction of the dense model's time. A second call changes nothing.
    public mutating func normaliseTimes() {
        let times = targets.map(\.denseSeconds).sorted()
        guard let minimum = times.first, minimum > 0, denseSeconds > 0 else { return }
        let dense = (times[(times.count - 1) / 2] + times[times.count / 2]) / 2
        baseSeconds *= dense / denseSeconds
        denseSeconds = dense
        for index in targets.indices where targets[index].measured > 0 {
            targets[index].denseSeconds = dense
            targets[index].seconds = dense / targets[index].measured
        }
    }
}
