import { AwsError } from '../errors.ts';

const MAX_BYTES = 16 * 1024;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Checks user data as it comes, in base64: Amazon EC2 User Guide, "Run commands when you launch an EC2 instance" (16 KB "in raw form, before it is base64-encoded").
 * Throws `InvalidUserData.Malformed`, and `tooLarge` with the same words for what is too large: the code differs between instances and launch templates.
 */
export function checkUserData(userData: string | undefined, tooLarge: string): void {
  if (!userData) return;
  const text = userData.replace(/[\r\n]/g, '');
  // The decoder drops what it cannot read, so that what is malformed comes back shorter.
  const decoded = Buffer.from(text, 'base64');
  if (!BASE64.test(text) || decoded.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    throw new AwsError('InvalidUserData.Malformed', 'Invalid BASE64 encoding of user data.');
  if (decoded.length > MAX_BYTES) throw new AwsError(tooLarge, `User data is limited to ${MAX_BYTES} bytes`);
}
