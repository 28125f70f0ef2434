export { createEcrPublic, type TokenIssuer } from './service.ts';
export { authorizeGallery, GALLERY, isGalleryHost, PUBLISHER, requireGalleryRepository } from './gallery.ts';
