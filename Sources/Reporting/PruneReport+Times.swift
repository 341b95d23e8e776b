extension PruneReport {
    /// Puts all times on one scale, so that the ratio of any two shown is the speedup shown.
    ///
    /// A speedup is the median of paired ratios, and rarely the ratio of two medians; and the dense
    /// model was timed anew for the profile and beside every model. Here it has one time, the median
    /// of those beside the models. A model's time is that divided by its speedup, and the time that
    /// no plan changes keeps its share. Doing it twice changes nothing.
    public mutating func settleTimes() {
        let times = targets.map(\.denseSeconds).sorted()
        guard let least = times.first, least > 0, denseSeconds > 0 else { return }
        let dense = (times[(times.count - 1) / 2] + times[times.count / 2]) / 2
        baseSeconds *= dense / denseSeconds
        denseSeconds = dense
        for index in targets.indices where targets[index].measured > 0 {
            targets[index].denseSeconds = dense
            targets[index].seconds = dense / targets[index].measured
        }
    }
}
