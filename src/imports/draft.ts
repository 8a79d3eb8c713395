// A contact as a row describes it, before anything is looked up.
import type { contactPointKinds } from '../entities/contact.ts';

/** Texts are trimmed, in NFC, never empty and within the limits of domain/text.ts; dates are ISO 8601. */
export interface RowDraft {
  fields: {
    memberNumber?: string;
    firstName?: string;
    lastName?: string;
    /** Valid, as the row spells it. */
    email?: string;
    company?: string;
    jobTitle?: string;
    street?: string;
    city?: string;
    postalCode?: string;
    country?: string;
    birthDate?: string;
  };
  /** Further ways to reach the contact. */
  contactPoints: { kind: (typeof contactPointKinds)[number]; label: string | null; value: string }[];
  /**
   * Numbers in E.164, as in `+14155550100`, of the phone numbers that could be understood; those with an extension as
   * RFC 3966 writes them (`+14155550100;ext=12`), because the extensions of one number are different people.
   */
  phones: string[];
  tags: string[];
  /** Values as the kind of the field takes them: see domain/contact-drafts.ts. */
  customFields: { key: string; value: string }[];
  notes: string[];
  memberships: { planName: string; startsOn: string; endsOn: string | null }[];
  /** What the contact owes (negative) or has paid ahead, in minor units. */
  openingBalances: { amountMinor: number; currency: string }[];
}
