import { formatArn, isArn, parseArn, type Arn } from '#base';
import { AwsError } from '../errors.ts';
import { mergeTags, readTags, upperCaseTags, withoutTags } from '../tags.ts';
import type { Directory } from './directory.ts';
import { noSuchEntity, validation } from './names.ts';
import { instant, type IamHandlers, type IamParts } from './parts.ts';
import type { OidcProviderRecord } from './records.ts';

const RESOURCE = 'oidc-provider/';

export function oidcProviderArn({ account, url }: Pick<OidcProviderRecord, 'account' | 'url'>): Arn {
  return formatArn({ service: 'iam', region: '', account, resource: RESOURCE + url });
}

/** The account's provider for an issuer, if it has one. */
export function findOidcProvider(
  directory: Directory,
  account: string,
  issuer: string,
): OidcProviderRecord | undefined {
  return directory.oidcProviders.get(account, encodeURIComponent(issuer.replace(/^https:\/\//, '')));
}

export function oidcProviderHandlers({ directory, clock }: IamParts): IamHandlers {
  const { oidcProviders: providers } = directory;

  function find(account: string, arn: string): OidcProviderRecord {
    const { account: owner, resource } = isArn(arn) ? parseArn(arn) : { account: '', resource: '' };
    if (!resource.startsWith(RESOURCE)) throw validation(`${arn} is not the ARN of an OpenID Connect provider.`);
    const found = owner === account ? findOidcProvider(directory, account, resource.slice(RESOURCE.length)) : undefined;
    if (!found) throw noSuchEntity('OpenIDConnect Provider', arn);
    return found;
  }

  async function change(
    account: string,
    arn: string,
    next: (provider: OidcProviderRecord) => OidcProviderRecord,
  ): Promise<void> {
    await providers.update(account, encodeURIComponent(find(account, arn).url), next);
  }

  return {
    async CreateOpenIDConnectProvider(input, { account }) {
      const url = checkUrl(input.Url!);
      const provider: OidcProviderRecord = {
        account,
        url,
        clientIds: input.ClientIDList ?? [],
        thumbprints: input.ThumbprintList ?? [],
        tags: readTags(input.Tags, 'InvalidInputException'),
        createdAt: clock.now(),
      };
      if (findOidcProvider(directory, account, url))
        throw new AwsError('EntityAlreadyExists', `Provider with url https://${url} already exists.`, { status: 409 });
      await providers.create(provider);
      return { OpenIDConnectProviderArn: oidcProviderArn(provider), Tags: upperCaseTags(provider.tags) };
    },

    GetOpenIDConnectProvider(input, { account }) {
      const provider = find(account, input.OpenIDConnectProviderArn!);
      return {
        Url: provider.url,
        ClientIDList: [...provider.clientIds],
        ThumbprintList: [...provider.thumbprints],
        CreateDate: instant(provider.createdAt),
        Tags: upperCaseTags(provider.tags),
      };
    },

    ListOpenIDConnectProviders: (_input, { account }) => ({
      OpenIDConnectProviderList: providers.list(account).map((provider) => ({ Arn: oidcProviderArn(provider) })),
    }),

    async DeleteOpenIDConnectProvider(input, { account }) {
      await providers.delete(account, encodeURIComponent(find(account, input.OpenIDConnectProviderArn!).url));
      return {};
    },

    async AddClientIDToOpenIDConnectProvider(input, { account }) {
      await change(account, input.OpenIDConnectProviderArn!, (provider) => ({
        ...provider,
        clientIds: [...new Set([...provider.clientIds, input.ClientID!])],
      }));
      return {};
    },

    async RemoveClientIDFromOpenIDConnectProvider(input, { account }) {
      await change(account, input.OpenIDConnectProviderArn!, (provider) => ({
        ...provider,
        clientIds: provider.clientIds.filter((id) => id !== input.ClientID),
      }));
      return {};
    },

    async UpdateOpenIDConnectProviderThumbprint(input, { account }) {
      await change(account, input.OpenIDConnectProviderArn!, (provider) => ({
        ...provider,
        thumbprints: input.ThumbprintList ?? [],
      }));
      return {};
    },

    async TagOpenIDConnectProvider(input, { account }) {
      const tags = readTags(input.Tags, 'InvalidInputException');
      await change(account, input.OpenIDConnectProviderArn!, (provider) => ({
        ...provider,
        tags: mergeTags(provider.tags, tags, 'LimitExceededException'),
      }));
      return {};
    },

    async UntagOpenIDConnectProvider(input, { account }) {
      await change(account, input.OpenIDConnectProviderArn!, (provider) => ({
        ...provider,
        tags: withoutTags(provider.tags, input.TagKeys!),
      }));
      return {};
    },

    ListOpenIDConnectProviderTags: (input, { account }) => ({
      Tags: upperCaseTags(find(account, input.OpenIDConnectProviderArn!).tags),
      IsTruncated: false,
    }),
  };
}

/** The issuer without its scheme. */
function checkUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'https:' || parsed.search || parsed.hash || url.length > 255)
    throw validation('Invalid Open ID Connect Provider URL');
  return url.slice('https://'.length).replace(/\/$/, '');
}
