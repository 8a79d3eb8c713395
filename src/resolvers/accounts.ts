// One's own account: password, second factor, proof of identity.
import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { changePassword, requestPasswordReset, resetPassword } from '../domain/passwords.ts';
import { beginSecondFactor, confirmSecondFactor, proveIdentity, removeSecondFactor, renewRecoveryCodes } from '../domain/second-factor.ts';
import {
  BeginSecondFactorInput,
  BeginSecondFactorPayload,
  ChangePasswordInput,
  ChangePasswordPayload,
  ConfirmSecondFactorInput,
  ConfirmSecondFactorPayload,
  ProveIdentityInput,
  ProveIdentityPayload,
  RemoveSecondFactorInput,
  RemoveSecondFactorPayload,
  RenewRecoveryCodesInput,
  RenewRecoveryCodesPayload,
  RequestPasswordResetInput,
  RequestPasswordResetPayload,
  ResetPasswordInput,
  ResetPasswordPayload,
} from '../schema/accounts.ts';
import { payload } from '../schema/common.ts';
import { noTokens } from './sessions.ts';

/** Each of these checks a password or a code, or sends an email. */
const complexity = 1000;

@Resolver()
export class AccountResolver {
  @Mutation(() => RequestPasswordResetPayload, { complexity, description: 'Sends a link to choose a new password with, if there is such an account.' })
  requestPasswordReset(
    @Ctx() { app, request }: Context,
    @Arg('input', () => RequestPasswordResetInput, { description: 'Whose.' }) input: RequestPasswordResetInput,
  ): Promise<RequestPasswordResetPayload> {
    return payload<RequestPasswordResetPayload>(async () => {
      await requestPasswordReset(app, request, input.email);
      return {};
    }, {});
  }

  @Mutation(() => ResetPasswordPayload, { complexity, description: 'Chooses a new password with a link out of an email. All sessions of the account end.' })
  resetPassword(
    @Ctx() { app, request }: Context,
    @Arg('input', () => ResetPasswordInput, { description: 'The token, and the password.' }) { token, newPassword }: ResetPasswordInput,
  ): Promise<ResetPasswordPayload> {
    return payload<ResetPasswordPayload>(async () => {
      await resetPassword(app, request, token, newPassword);
      return {};
    }, {});
  }

  @Mutation(() => ChangePasswordPayload, { complexity, description: 'Changes your password. All your sessions end; go on with the tokens that this gives.' })
  changePassword(
    @Ctx() context: Context,
    @Arg('input', () => ChangePasswordInput, { description: 'The old and the new one.' }) { currentPassword, newPassword }: ChangePasswordInput,
  ): Promise<ChangePasswordPayload> {
    return payload<ChangePasswordPayload>(() => context.write((app, viewer) => changePassword(app, viewer, currentPassword, newPassword)), noTokens);
  }

  @Mutation(() => BeginSecondFactorPayload, {
    complexity,
    description: 'Sets up a second factor with an authenticator app (TOTP). It counts from `confirmSecondFactor` on.',
  })
  beginSecondFactor(
    @Ctx() context: Context,
    @Arg('input', () => BeginSecondFactorInput, { description: 'Your password.' }) { password }: BeginSecondFactorInput,
  ): Promise<BeginSecondFactorPayload> {
    return payload<BeginSecondFactorPayload>(() => context.write((app, viewer) => beginSecondFactor(app, viewer, password)), {
      uri: null,
      recoveryCodes: null,
    });
  }

  @Mutation(() => ConfirmSecondFactorPayload, {
    complexity,
    description: 'Turns on the second factor that was set up. All your sessions end; go on with the tokens that this gives.',
  })
  confirmSecondFactor(
    @Ctx() context: Context,
    @Arg('input', () => ConfirmSecondFactorInput, { description: 'A code.' }) { code }: ConfirmSecondFactorInput,
  ): Promise<ConfirmSecondFactorPayload> {
    return payload<ConfirmSecondFactorPayload>(() => context.write((app, viewer) => confirmSecondFactor(app, viewer, code)), noTokens);
  }

  @Mutation(() => RemoveSecondFactorPayload, {
    complexity,
    description: 'Removes your second factor; takes a fresh proof of identity. All your sessions end; go on with the tokens that this gives.',
  })
  removeSecondFactor(
    @Ctx() context: Context,
    @Arg('input', () => RemoveSecondFactorInput, { description: 'Your password.' }) { password }: RemoveSecondFactorInput,
  ): Promise<RemoveSecondFactorPayload> {
    return payload<RemoveSecondFactorPayload>(() => context.write((app, viewer) => removeSecondFactor(app, viewer, password)), noTokens);
  }

  @Mutation(() => RenewRecoveryCodesPayload, { complexity, description: 'Makes new recovery codes; takes a fresh proof of identity.' })
  renewRecoveryCodes(
    @Ctx() context: Context,
    @Arg('input', () => RenewRecoveryCodesInput, { description: 'Your password.' }) { password }: RenewRecoveryCodesInput,
  ): Promise<RenewRecoveryCodesPayload> {
    return payload<RenewRecoveryCodesPayload>(
      async () => ({ recoveryCodes: await context.write((app, viewer) => renewRecoveryCodes(app, viewer, password)) }),
      { recoveryCodes: null },
    );
  }

  @Mutation(() => ProveIdentityPayload, {
    complexity,
    description:
      'Proves anew who you are, for what a stolen token must not be enough for: large deletions, erasures, roles, keys, invitations and identity providers. Signing in is such a proof too.',
  })
  proveIdentity(
    @Ctx() context: Context,
    @Arg('input', () => ProveIdentityInput, { description: 'The proof.' }) input: ProveIdentityInput,
  ): Promise<ProveIdentityPayload> {
    return payload<ProveIdentityPayload>(async () => ({ provenUntil: await context.write((app, viewer) => proveIdentity(app, viewer, input)) }), {
      provenUntil: null,
    });
  }
}
