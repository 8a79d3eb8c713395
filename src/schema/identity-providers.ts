// Identity providers, as the world sees them.
import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { DateTime, Node, UserError } from './common.ts';

@ObjectType({ implements: Node, description: 'Where the staff of an organization sign in elsewhere (OpenID Connect, authorization code flow with PKCE).' })
export class IdentityProvider extends Node {
  @Field(() => String, { description: 'What it is called on the page where people sign in.' })
  name!: string;

  @Field(() => String, { description: 'Its issuer, under which `/.well-known/openid-configuration` is found.' })
  issuer!: string;

  @Field(() => String, { description: 'What it knows us by.' })
  clientId!: string;

  @Field(() => String, { description: 'The page of your frontend that it sends people back to; registered there too.' })
  redirectUrl!: string;

  @Field(() => DateTime, { description: 'When it was registered.' })
  createdAt!: Date;
}

@InputType({ description: 'Registers an identity provider.' })
export class CreateIdentityProviderInput {
  @Field(() => String, { description: 'What it is to be called, in at most 100 characters.' })
  name!: string;

  @Field(() => String, { description: 'Its issuer, as in `https://login.example.com`.' })
  issuer!: string;

  @Field(() => String, { description: 'What it knows us by.' })
  clientId!: string;

  @Field(() => String, { description: 'The secret that goes with that. It is kept encrypted and never shown.' })
  clientSecret!: string;

  @Field(() => String, { description: 'The page of your frontend that it sends people back to.' })
  redirectUrl!: string;
}

@ObjectType({ description: 'The outcome of `createIdentityProvider`.' })
export class CreateIdentityProviderPayload {
  @Field(() => IdentityProvider, { nullable: true, description: 'The provider; null when it was refused.' })
  identityProvider!: IdentityProvider | null;

  @Field(() => [UserError], { description: 'Why it was not registered; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Removes an identity provider.' })
export class DeleteIdentityProviderInput {
  @Field(() => ID, { description: 'The id of the provider.' })
  id!: string;
}

@ObjectType({ description: 'The outcome of `deleteIdentityProvider`.' })
export class DeleteIdentityProviderPayload {
  @Field(() => ID, { nullable: true, description: 'The id of the provider that is gone; null when it was refused.' })
  deletedId!: string | null;

  @Field(() => [UserError], { description: 'Why it is still there; empty when it is gone.' })
  userErrors!: UserError[];
}
