// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// `/api/blobs/{digest}`: asked of, and streamed to, every endpoint that a later `create` may go to.
extension Exchange {
    /// After the head of the request: nothing of the body is read before it is known where it goes.
    func beginBlob() {
        let targets: [Endpoint]
        do throws(RouterError) {
            targets = try ManagementPlan.targets(
                .create, model: nil, chosen: chosenName, policy: worker.settings.modelManagement,
                fleet: worker.shared.fleet.reports())
        } catch {
            client?.machine.endAfterThis()
            return answer(error)
        }
        let asker = worker.shared.client
        let path = String(target)
        if head.method == .HEAD {
            return start { writer in
                let lacking = await Self.lacking(path, targets, asker)
                // Where one lacks it, the client has to send it.
                let status: HTTPResponseStatus = lacking.isEmpty ? .ok : .notFound
                try await writer.answer(LocalAnswer(status: status, contentType: "", body: ByteBuffer()))
            }
        }
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }
        sideWork.upload = BlobUpload(
            BlobUpload.Settings(
                head: head, path: path, length: isChunked ? nil : length ?? 0, connectTimeout: worker.settings.limits.connectTimeout,
                dropsAuthorization: worker.settings.keys.isRequired), eventLoop: worker.eventLoop)
        client?.withholdReads()
        start { writer in
            let lacking = await Self.lacking(path, targets, asker)
            try await writer.run { exchange in exchange.startUpload(targets, lacking) }
        }
    }

    private static func lacking(_ path: String, _ targets: [Endpoint], _ client: EndpointClient) async -> [Endpoint] {
        await withTaskGroup(of: (Int, Bool).self) { group in
            for (index, endpoint) in targets.enumerated() {
                group.addTask { (index, (try? await client.ask(.HEAD, path, of: endpoint))?.status == 200) }
            }
            var has = Set<Int>()
            for await (index, isThere) in group where isThere { has.insert(index) }
            return targets.indices.filter { !has.contains($0) }.map { targets[$0] }
        }
    }

    private func startUpload(_ targets: [Endpoint], _ lacking: [Endpoint]) {
        guard let upload = existingSideWork?.upload else { return }
        let names = Set(lacking.map(\.name))
        // Not while its callers are still at work with it.
        upload.onReady = { [weak self] in self?.client?.resumeReads() }
        upload.onEnd = { [weak self] outcome, created in self?.uploadEnded(outcome, created: created) }
        upload.start(lacking, having: targets.map(\.name).filter { !names.contains($0) }, dialer: worker.shared.dialer)
        if lacking.isEmpty { client?.resumeReads() }
    }

    func uploadPart(_ upload: BlobUpload, _ bytes: ByteBuffer) {
        lastActivity = worker.coarseNow
        upload.write(bytes)
        if !upload.isReady { client?.withholdReads() }
    }

    private func uploadEnded(_ outcome: ManagementOutcome, created: Bool) {
        guard !life.isOver else { return }
        // What the client still sends is read and forgotten, so that it comes to read the answer.
        client?.resumeReads()
        if let fault = outcome.fault(.create) {
            client?.machine.endAfterThis()
            // Where it is on some and not on others, a later `create` would fail there: the client must know.
            return answer(.endpointRefused(status: outcome.succeeded.isEmpty ? outcome.status : 502, message: fault))
        }
        answer(LocalAnswer(status: created ? .created : .ok, contentType: "", body: ByteBuffer()))
    }
}
