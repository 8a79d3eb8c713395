// One's own account: password, second factor, proof of identity.
import { Field, InputType, ObjectType } from 'type-graphql';
import { DateTime, UserError } from './common.ts';
import { Tokens } from './sessions.ts';

@InputType({ description: 'Asks for a link to choose a new password with.' })
export class RequestPasswordResetInput {
  @Field(() => String, { description: 'The email of the account.' })
  email!: string;
}

@ObjectType({ description: 'The outcome of `requestPasswordReset`: the same whether there is such an account or not.' })
export class RequestPasswordResetPayload {
  @Field(() => [UserError], { description: 'Why nothing was done; empty when an email goes out to the account, if there is one.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Chooses a new password with a link out of an email.' })
export class ResetPasswordInput {
  @Field(() => String, { description: 'The token in the link. It works once.' })
  token!: string;

  @Field(() => String, { description: 'The new password, of 12 to 128 characters.' })
  newPassword!: string;
}

@ObjectType({ description: 'The outcome of `resetPassword`.' })
export class ResetPasswordPayload {
  @Field(() => [UserError], { description: 'Why the password is as it was; empty when it is the new one and all sessions have ended.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Changes the password.' })
export class ChangePasswordInput {
  @Field(() => String, { description: 'The password until now.' })
  currentPassword!: string;

  @Field(() => String, { description: 'The new password, of 12 to 128 characters.' })
  newPassword!: string;
}

@ObjectType({ description: 'The outcome of `changePassword`: tokens of a new session, which takes the place of all others.' })
export class ChangePasswordPayload extends Tokens {}

@InputType({ description: 'Sets up a second factor.' })
export class BeginSecondFactorInput {
  @Field(() => String, { description: 'The password of the account.' })
  password!: string;
}

@ObjectType({ description: 'The outcome of `beginSecondFactor`.' })
export class BeginSecondFactorPayload {
  @Field(() => String, { nullable: true, description: 'The `otpauth:` URI, to show as a QR code to an authenticator app; null when it was refused.' })
  uri!: string | null;

  @Field(() => [String], {
    nullable: true,
    description: 'Codes for the day that the app is lost, each of which works once; shown here and never again. Null when it was refused.',
  })
  recoveryCodes!: string[] | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it waits for `confirmSecondFactor`.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Turns a second factor on that was set up.' })
export class ConfirmSecondFactorInput {
  @Field(() => String, { description: 'The six digits that the authenticator app shows.' })
  code!: string;
}

@ObjectType({ description: 'The outcome of `confirmSecondFactor`: tokens of a new session, which takes the place of all others.' })
export class ConfirmSecondFactorPayload extends Tokens {}

@InputType({ description: 'Removes the second factor.' })
export class RemoveSecondFactorInput {
  @Field(() => String, { description: 'The password of the account.' })
  password!: string;
}

@ObjectType({ description: 'The outcome of `removeSecondFactor`: tokens of a new session, which takes the place of all others.' })
export class RemoveSecondFactorPayload extends Tokens {}

@InputType({ description: 'Makes new recovery codes.' })
export class RenewRecoveryCodesInput {
  @Field(() => String, { description: 'The password of the account.' })
  password!: string;
}

@ObjectType({ description: 'The outcome of `renewRecoveryCodes`.' })
export class RenewRecoveryCodesPayload {
  @Field(() => [String], {
    nullable: true,
    description: 'The new codes, shown here and never again; the ones before are worth nothing. Null when it was refused.',
  })
  recoveryCodes!: string[] | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it was not.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Proves who you are: the code where the account has a second factor, else the password.' })
export class ProveIdentityInput {
  @Field(() => String, { nullable: true, description: 'The password of the account.' })
  password?: string | null;

  @Field(() => String, { nullable: true, description: 'The six digits that the authenticator app shows, or a recovery code.' })
  code?: string | null;
}

@ObjectType({ description: 'The outcome of `proveIdentity`.' })
export class ProveIdentityPayload {
  @Field(() => DateTime, { nullable: true, description: 'Until when the proof is fresh enough for what asks for one; null when it was refused.' })
  provenUntil!: Date | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it was not.' })
  userErrors!: UserError[];
}
