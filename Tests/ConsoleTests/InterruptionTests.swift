import Foundation
import Testing

@testable import Console

@Suite struct InterruptionTests {
    @Test("the first signal requests a stop", arguments: [SIGINT, SIGTERM])
    func first(signal: Int32) async {
        await #expect(processExitsWith: .exitCode(7)) { [signal] in
            Interruption.install()
            guard !Interruption.isRequested else { exit(1) }
            kill(getpid(), signal)
            guard isRequestedSoon() else { exit(2) }
            do throws(CancellationError) { try Interruption.check() } catch { exit(7) }
        }
    }

    @Test("the second signal ends the process with status 130")
    func second() async {
        await #expect(processExitsWith: .exitCode(130)) {
            Interruption.install()
            kill(getpid(), SIGTERM)
            guard isRequestedSoon() else { exit(2) }
            kill(getpid(), SIGINT)
            sleep(10)
        }
    }

    @Test("other signals and no signal do not request a stop")
    func quiet() async {
        await #expect(processExitsWith: .exitCode(0)) {
            Interruption.install()
            _ = signal(SIGUSR1, SIG_IGN)
            kill(getpid(), SIGUSR1)
            usleep(50_000)
            guard !Interruption.isRequested else { exit(1) }
            do throws(CancellationError) { try Interruption.check() } catch { exit(2) }
            exit(0)
        }
    }
}

/// Whether a stop is requested within ten seconds.
///
/// Another thread may receive the signal.
private func isRequestedSoon() -> Bool {
    for _ in 0..<1000 where !Interruption.isRequested { usleep(10_000) }
    return Interruption.isRequested
}
