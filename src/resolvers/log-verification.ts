// Verifying the action log.
import { Arg, Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { InvalidInput } from '../errors.ts';
import type { Head } from '../log/seal.ts';
import { verifyLog } from '../log/verifying.ts';
import { encodeId } from '../schema/common.ts';
import { LogHeadInput, LogVerification } from '../schema/log-verification.ts';

@Resolver()
export class LogVerificationResolver {
  @Query(() => LogVerification, {
    complexity: 5000,
    description: 'Reads the whole action log of the organization and verifies it, seal by seal. A million entries take about half a minute.',
  })
  async verifyActionLog(
    @Ctx() context: Context,
    @Arg('since', () => LogHeadInput, {
      nullable: true,
      description: 'What you kept of an earlier verification: the log must go through it, unless it has been pruned beyond it since.',
    })
    since?: LogHeadInput | null,
  ): Promise<LogVerification> {
    const known = since ? readHead(since) : null;
    const { fault, head, pruned, waitingCount, ...rest } = await verifyLog(await context.reading(), context.app, known);
    return {
      ...rest,
      waitingCount,
      intact: fault === null,
      fault: fault && { ...fault, entryId: fault.entryId && encodeId('ActionLogEntry', fault.entryId) },
      pruned: pruned && {
        sealNumber: pruned.number,
        hash: pruned.hash,
        entryCount: pruned.total,
        until: new Date(pruned.until),
        prunedAt: new Date(pruned.prunedAt),
      },
      head: head && { number: head.number, hash: head.hash, entryCount: head.total, sealedAt: new Date(head.sealedAt) },
    };
  }
}

/** @throws InvalidInput BAD_INPUT for what no verification gave */
function readHead({ number, hash }: LogHeadInput): Head {
  if (number >= 1 && /^[0-9a-f]{64}$/.test(hash)) return { number, hash };
  throw new InvalidInput('BAD_INPUT', 'This is no head of a log: `number` is from 1 on, and `hash` has 64 hex digits. Nothing was read.');
}
