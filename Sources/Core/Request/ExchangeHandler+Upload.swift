// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// `/api/blobs/{digest}`: asked of, and streamed to, every endpoint that a later `create` may go to.
extension ExchangeHandler {
    /// After the head of the request: nothing of the body is read before it is known where it goes.
    func beginBlob(_ exchange: Exchange) {
        let targets: [Endpoint]
        do throws(RouterError) {
            targets = try ManagementPlan.targets(
                .create, model: nil, chosen: exchange.chosenName, policy: worker.settings.modelManagement,
                fleet: worker.shared.fleet.reports())
        } catch {
            machine.endAfterThis()
            return answer(error)
        }
        let client = worker.shared.client
        let path = String(exchange.target)
        if exchange.head.method == .HEAD {
            return start(exchange) { writer in
                let lacking = await Self.lacking(path, targets, client)
                // Where one lacks it, the client has to send it.
                let status: HTTPResponseStatus = lacking.isEmpty ? .ok : .notFound
                try await writer.answer(LocalAnswer(status: status, contentType: "", body: ByteBuffer()))
            }
        }
        guard let context else { return }
        let length = exchange.head.headers.first(name: "content-length").flatMap { Int($0) }
        exchange.detour.upload = BlobUpload(
            BlobUpload.Settings(
                head: exchange.head, path: path, length: exchange.isChunked ? nil : length ?? 0,
                connectTimeout: worker.settings.limits.connectTimeout,
                dropsAuthorization: worker.settings.keys.isRequired), eventLoop: context.eventLoop)
        holdsReads = true
        start(exchange) { writer in
            let lacking = await Self.lacking(path, targets, client)
            try await writer.run { handler, exchange in handler.startUpload(exchange, targets, lacking) }
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

    private func startUpload(_ exchange: Exchange, _ targets: [Endpoint], _ lacking: [Endpoint]) {
        guard let upload = exchange.upload else { return }
        let names = Set(lacking.map(\.name))
        // Not while its callers are still at work with it.
        upload.onReady = { [weak self] in self?.releaseReads() }
        upload.onEnd = { [weak self, weak exchange] outcome, created in
            guard let self, let exchange, self.exchange === exchange else { return }
            self.uploadEnded(outcome, created: created)
        }
        upload.start(lacking, having: targets.map(\.name).filter { !names.contains($0) }, dialer: worker.shared.dialer)
        if lacking.isEmpty { releaseReads() }
    }

    func uploadPart(_ exchange: Exchange, _ upload: BlobUpload, _ bytes: ByteBuffer) {
        exchange.lastActivity = worker.coarseNow
        upload.write(bytes)
        if !upload.isReady { holdsReads = true }
    }

    private func uploadEnded(_ outcome: ManagementOutcome, created: Bool) {
        // What the client still sends is read and forgotten, so that it comes to read the answer.
        releaseReads()
        if let fault = outcome.fault(.create) {
            machine.endAfterThis()
            // Where it is on some and not on others, a later `create` would fail there: the client must know.
            return answer(.endpointRefused(status: outcome.succeeded.isEmpty ? outcome.status : 502, message: fault))
        }
        answer(LocalAnswer(status: created ? .created : .ok, contentType: "", body: ByteBuffer()))
    }

    private func releaseReads() {
        guard holdsReads else { return }
        holdsReads = false
        resumeHeldRead()
    }
}
