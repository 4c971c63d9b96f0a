"""A variational autoencoder of images in 0..1 (Kingma & Welling, 2014), as replay from a generator uses it."""
import math

import torch
from torch import nn
from torch.nn import functional as F


def loss(x, again, mu, logvar):
    """Reconstruction error, the binary cross-entropy, + KL of N(mu, exp(logvar)) from N(0, 1), both per
    pixel and the mean over the batch [B,P] (van de Ven et al., 2022)."""
    kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)
    return F.binary_cross_entropy(again, x, reduction='none').mean(1).mean() + kl.mean() / x.shape[1]


class VAE(nn.Module):
    """Two hidden layers of ReLU either way: [B,P] images, P pixels, z latent variables."""

    def __init__(self, pixels, width=400, z=100):
        super().__init__()
        self.z = z
        self.encoder = nn.Sequential(nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2 * z))
        self.decoder = nn.Sequential(nn.Linear(z, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, pixels),
                                     nn.Sigmoid())

    def forward(self, x):
        """(reconstruction [B,P], mu [B,z], logvar [B,z])."""
        mu, logvar = self.encoder(x).chunk(2, 1)
        return self.decoder(mu + torch.randn_like(mu) * (logvar / 2).exp()), mu, logvar


class Generator:
    """A VAE of images [C,H,W], normalised in any way, and the Adam that trains it. range: the least and
    the largest pixel, which are mapped to 0 and 1."""

    def __init__(self, size, width, z, lr, device):
        self.size, self.range = tuple(size), (0., 1.)
        self.vae = VAE(math.prod(self.size), width, z).to(device)
        self.adam = torch.optim.Adam(self.vae.parameters(), lr)

    def unit(self, x):
        """Images [B,C,H,W] as [B,P] in 0..1."""
        low, high = self.range
        return ((x.flatten(1) - low) / max(high - low, 1e-12)).clamp(0, 1)

    def images(self, count):
        """So many images [count,C,H,W], the decoder's probabilities for z ~ N(0, 1)."""
        low, high = self.range
        with torch.no_grad():
            x = self.vae.decoder(torch.randn(count, self.vae.z, device=next(self.vae.parameters()).device))
        return (x * (high - low) + low).view(count, *self.size)

    def learn(self, x, again=None, share=1.):
        """A step on images x and, if given, others, whose loss weighs 1 - share; returns the loss, detached."""
        with torch.enable_grad():
            total = self.loss(x) if again is None else share * self.loss(x) + (1 - share) * self.loss(again)
            self.adam.zero_grad()
            total.backward()
        self.adam.step()
        return total.detach()

    def loss(self, x):
        """loss() of images [B,C,H,W]; nan where the reconstruction is, which binary cross-entropy does not
        take."""
        x = self.unit(x)
        again, mu, logvar = self.vae(x)
        return loss(x, again.nan_to_num(0.5), mu, logvar) + 0 * again.sum()
